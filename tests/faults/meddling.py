"""What a person can do to each thing that MLflow keeps of a month: deleted, collected as garbage, restored, edited."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from tests.faults.months import DISTRICTS, MODEL, Month, World
from tracked_kedro import names
from tracked_kedro.promotion.registry import CHAMPION
from tracked_kedro.serving.signing import SIGNATURE_TAG

Meddle = Callable[[World, Month], None]
Deed = Callable[[], object]


def _run(world: World, month: Month, how: str) -> None:
    _change_run(world, month.run_id, how)


def _child(world: World, month: Month, how: str) -> None:
    _change_run(world, _north(world, month).info.run_id, how)


def _done(world: World, how: str, *, edit: Deed, delete: Deed, restore: Deed) -> None:
    """Carry a deed out: all but an edit begin with a deletion."""
    if how == "edited":
        edit()
        return
    delete()
    if how == "restored":
        restore()
    if how == "gc":
        world.collect_garbage()


def _change_run(world: World, run_id: str, how: str) -> None:
    def edit() -> None:
        world.client.update_run(run_id, status="FAILED", name="by hand")
        world.client.log_metric(run_id, "mean_rent", 1.0, step=9)

    delete, restore = partial(world.client.delete_run, run_id), partial(world.client.restore_run, run_id)
    _done(world, how, edit=edit, delete=delete, restore=restore)


def _north(world: World, month: Month) -> Run:
    (found,) = [run for run in world.children(month.run_id) if run.data.tags.get(names.KEY_TAG) == DISTRICTS[0]]
    return found


def _version_of(world: World, month: Month) -> ModelVersion:
    return world.registry.of_run(month.run_id)[0]


def _version(world: World, month: Month, how: str) -> None:
    version = _version_of(world, month)
    if how == "gc":
        _run(world, month, how)
    elif how == "edited":
        world.client.set_model_version_tag(MODEL, version.version, SIGNATURE_TAG, "0" * 64)
    else:
        world.client.delete_model_version(MODEL, version.version)
    if how == "restored":
        world.client.create_model_version(MODEL, version.source, version.run_id, tags=version.tags)


def _alias(world: World, month: Month, how: str) -> None:
    put, before = partial(world.client.set_registered_model_alias, MODEL, CHAMPION), world.registry.aliases()[CHAMPION]
    delete = partial(world.client.delete_registered_model_alias, MODEL, CHAMPION)
    _done(world, how, edit=partial(put, "1"), delete=delete, restore=partial(put, str(before)))


def _model(world: World, month: Month, how: str) -> None:
    edit = partial(world.client.rename_registered_model, MODEL, "rents-by-hand")
    delete, restore = world.client.delete_registered_model, world.client.create_registered_model
    _done(world, how, edit=edit, delete=partial(delete, MODEL), restore=partial(restore, MODEL))


def _experiment(world: World, month: Month, how: str) -> None:
    number = world.client.get_run(month.run_id).info.experiment_id
    edit = partial(world.client.rename_experiment, number, "by hand")
    delete, restore = world.client.delete_experiment, world.client.restore_experiment
    _done(world, how, edit=edit, delete=partial(delete, number), restore=partial(restore, number))


def _file(world: World, month: Month, how: str) -> None:
    source = _version_of(world, month).source
    path = world.stored(source) / "evidence.json"
    content = path.read_bytes()
    path.unlink()
    if how == "restored":
        path.write_bytes(content)
    if how == "edited":
        path.write_bytes(content.replace(b'"mean_rent":', b'"mean_rent": 1'))


def _run_tag(world: World, month: Month, how: str) -> None:
    _change_tag(world, month.run_id, names.DAG_RUN_ID_TAG, how)


def _child_tag(world: World, month: Month, how: str) -> None:
    _change_tag(world, _north(world, month).info.run_id, names.KEY_TAG, how)


def _change_tag(world: World, run_id: str, tag: str, how: str) -> None:
    put, before = partial(world.client.set_tag, run_id, tag), world.client.get_run(run_id).data.tags[tag]
    delete = partial(world.client.delete_tag, run_id, tag)
    _done(world, how, edit=partial(put, "by hand"), delete=delete, restore=partial(put, before))


def _history(world: World, month: Month, how: str) -> None:
    known = world.registry.known()
    assert known is not None
    for tag, text in known.tags.items():
        put, delete = world.client.set_registered_model_tag, world.client.delete_registered_model_tag
        deeds = {"edit": partial(put, MODEL, tag, "by hand"), "restore": partial(put, MODEL, tag, text)}
        _done(world, how, delete=partial(delete, MODEL, tag), **deeds)


#: By thing, what is done to it.
THINGS = {
    "run": _run,
    "child run": _child,
    "model version": _version,
    "alias": _alias,
    "registered model": _model,
    "experiment": _experiment,
    "artifact file": _file,
    "tag of the run": _run_tag,
    "tag of a child run": _child_tag,
    "tags of the registered model": _history,
}
DEEDS = ("deleted", "gc", "restored", "edited")
TIMES = ("before", "during", "after")
#: MLflow's garbage collection knows runs and experiments, and takes their files along.
NO_GARBAGE = {name for name in THINGS if name.startswith("tag")} | {"alias", "registered model", "artifact file"}
#: What is written by the first tasks is meddled with when the series are done, all else when a version is judged.
EARLY = {"run", "child run", "experiment", "tag of the run", "tag of a child run"}


def _unsigned(world: World, month: Month) -> None:
    """Somebody registers the files of a version again, and makes that champion."""
    version = _version_of(world, month)
    made = world.client.create_model_version(MODEL, version.source, version.run_id)
    world.client.set_registered_model_alias(MODEL, CHAMPION, made.version)


def _elsewhere(world: World, month: Month) -> None:
    """The model has another name, and a version in a bucket of nobody's is champion under the old one."""
    _model(world, month, "edited")
    world.client.create_registered_model(MODEL)
    made = world.client.create_model_version(MODEL, "s3://nobody/model")
    world.client.set_registered_model_alias(MODEL, CHAMPION, made.version)


def _nonsense(world: World, month: Month) -> None:
    """Whatever a tag may hold: text of 4,900 characters."""
    text = "x" * 4900
    for run in (world.client.get_run(month.run_id), *world.children(month.run_id)):
        for tag in run.data.tags:
            world.client.set_tag(run.info.run_id, tag, text)
    version = _version_of(world, month)
    for tag in version.tags:
        world.client.set_model_version_tag(MODEL, version.version, tag, text)


def _version_and_alias(world: World, month: Month) -> None:
    _alias(world, month, "deleted")
    _version(world, month, "deleted")
    _run(world, month, "gc")


def _all_files(world: World, month: Month) -> None:
    for path in world.stored(_version_of(world, month).source).rglob("*"):
        if path.is_file():
            path.write_bytes(b"")


def _twin(world: World, month: Month) -> None:
    """A second run with the tags of the first."""
    run = world.client.get_run(month.run_id)
    made = world.client.create_run(run.info.experiment_id, tags=dict(run.data.tags))
    world.client.set_terminated(made.info.run_id)


#: What is no line of the page: several things at once, and what a person makes.
TOGETHER = {
    "an unsigned champion": _unsigned,
    "a champion elsewhere": _elsewhere,
    "nonsense in every tag": _nonsense,
    "alias, version and run deleted": _version_and_alias,
    "every file emptied": _all_files,
    "the parent's twin": _twin,
}
