"""Each request of each step cut once, before the server hears of it and after: done again, the end is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kedro.io import DatasetError
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from tests.faults.proxy import Cut, Proxy, started
from tests.fixtures.stack import PlainServer, tasks_of
from tracked_kedro.child_runs.datasets import MlflowChildRunsDataset
from tracked_kedro.child_runs.record import ChildRecord
from tracked_kedro.parent_run import runs
from tracked_kedro.promotion.champion import LEDGER_TAG
from tracked_kedro.promotion.datasets import MlflowPromotionDataset
from tracked_kedro.promotion.ledger import Ledger
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.serving.signing import signed

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
]
# Without its own repeats the client fails at the cut; with them it asks again itself, which is how twins are made.
WAYS: tuple[tuple[Cut, str], ...] = (("lost answer", "0"), ("lost request", "0"), ("lost answer", "1"))


class World:
    """One DAG run's parent on a real server behind the proxy, anew for each cut."""

    numbers = itertools.count()

    def __init__(self, proxy: Proxy, direct: str, folder: Path) -> None:
        self.name = f"cut-{next(self.numbers)}"
        self.proxy, self.folder = proxy, folder / self.name
        self.direct = MlflowClient(direct, direct)
        self.experiment = self.direct.create_experiment(self.name)
        self.registry = Registry(self.name, MlflowClient(proxy.address, proxy.address))
        self.run_id = ""

    def open(self) -> None:
        self.run_id = runs.open_parent(self.experiment, "rents", "manual__1", "rents 2019-10", {"a": "b"})

    def files(self, digest: str) -> tuple[str, dict[str, str]]:
        """Address and signature of a version's files."""
        folder = self.folder / digest
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "MLmodel").write_text(digest)
        source = f"{self.direct.get_run(self.run_id).info.artifact_uri}/model/{digest}"
        get_artifact_repository(source).log_artifacts(str(folder))
        return source, signed(self.name, folder)

    def register(self, digest: str = "a") -> None:
        source, tags = self.sources[digest]
        self.registry.register(source, self.run_id, digest, tags)

    def prepared(self, *digests: str) -> None:
        self.open()
        self.sources = {digest: self.files(digest) for digest in digests}

    def in_run(self, work: Callable[[], None]) -> None:
        runs.in_parent(self.run_id, work)

    def record(self) -> None:
        """What a mapped task does, with one key that failed and one that did not."""

        def work() -> None:
            dataset = MlflowChildRunsDataset(str(self.folder / "index"), ["x", "y"])
            done = dataset.load()
            records = {
                "x": ChildRecord("x", "FINISHED", "1", {"p": 1}, {"m": 1.0}),
                "y": ChildRecord("y", "FAILED", "1"),
            }
            dataset.save({key: record for key, record in records.items() if key not in done})

        self.in_run(work)

    def children(self) -> dict[str, list[str]]:
        """Statuses of the children that are there, by key."""
        found: dict[str, list[str]] = {}
        for run in self.runs():
            if "series" in run.data.tags:
                found.setdefault(run.data.tags["series"], []).append(run.info.status)
        return found

    def runs(self) -> list[Run]:
        return list(self.direct.search_runs([self.experiment]))

    def history(self) -> list[tuple[int, int | None, str]]:
        read = Registry(self.name, self.direct)
        known = read.known()
        assert known is not None
        ledger = Ledger(self.direct, self.name, known.tags[LEDGER_TAG])
        page, events = ledger.read(), read.history()
        assert not page.is_cut, "the move is ended"
        assert list(page.moves) == events, "what the tags say is what the ledger says"
        assert {event.tag for event in events} == {name for name in known.tags if name.startswith("champion.")}
        for number in {event.version for event in events}:
            last = [event for event in events if event.version == number][-1]
            tags = read.version(number).tags
            assert (tags["promoted_at"], tags["promoted_by"], tags["promoted_because"]) == (last.at, last.by, last.why)
        return [(event.version, event.replaced, event.action) for event in events]

    def versions(self) -> list[int]:
        return [int(version.version) for version in Registry(self.name, self.direct).versions()]


@pytest.fixture(scope="module")
def world(plain_server: PlainServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], World]]:
    folder = tmp_path_factory.mktemp("cuts")
    with started(plain_server.address) as proxy, tasks_of(proxy.address, folder) as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        patch.setattr(runs, "_SETTLE_SECONDS", 0)
        yield lambda: World(proxy, plain_server.address, folder)


def opened(world: World) -> None:
    (run,) = world.runs()
    assert (run.info.run_id, run.info.status) == (world.run_id, "RUNNING")


def registered(world: World) -> None:
    (number,) = world.versions()
    experiment = world.direct.get_experiment_by_name(f"{world.name}-champions")
    (ledger,) = world.direct.search_runs([experiment.experiment_id])
    known = world.direct.get_registered_model(world.name)
    assert (known.tags[LEDGER_TAG], ledger.info.status) == (ledger.info.run_id, "FINISHED")
    assert Registry(world.name, world.direct).aliases() == {"challenger": number}


def decide(world: World) -> None:
    order = {"promote": False, "model": world.name, "version": 1, "champion": None, "by": "ana", "why": "worse"}
    world.in_run(lambda: MlflowPromotionDataset().save(order))


def decided(world: World) -> None:
    assert world.direct.get_run(world.run_id).data.tags["promotion"] == "not promoted: worse"
    assert world.history() == []


def promote(world: World) -> None:
    order = {"promote": True, "model": world.name, "version": 2, "champion": 1, "by": "ana", "why": "better"}
    world.in_run(lambda: MlflowPromotionDataset().save(order))


def promoted(world: World) -> None:
    assert world.history() == [(1, None, "promoted"), (2, 1, "promoted")]
    assert Registry(world.name, world.direct).aliases() == {"challenger": 2, "champion": 2, "previous": 1}
    assert world.direct.get_run(world.run_id).data.tags["promotion"] == "promoted: better"


def roll_back(world: World) -> None:
    assert world.registry.rollback(None, "ben", "wrong") == (2, 1)


def rolled_back(world: World) -> None:
    assert world.history() == [(1, None, "promoted"), (2, 1, "promoted"), (1, 2, "rolled back")]
    assert Registry(world.name, world.direct).aliases() == {"challenger": 2, "champion": 1, "previous": 2}


def recorded(world: World) -> None:
    assert world.children() == {"x": ["FINISHED"], "y": ["FAILED"]}
    opened_parent = world.direct.get_run(world.run_id)
    assert (opened_parent.info.status, opened_parent.data.metrics["series_done"]) == ("RUNNING", 1)


def with_open_child(world: World) -> None:
    """A child that nobody finished, and the late twin of a finished one."""
    world.open()
    for key, status in {"x": "FINISHED", "y": "RUNNING"}.items():
        for ends in (status, "RUNNING") if key == "x" else (status,):
            tags = {"mlflow.parentRunId": world.run_id, "series": key}
            run = world.direct.create_run(world.experiment, tags=tags)
            if ends != "RUNNING":
                world.direct.set_terminated(run.info.run_id, ends)


def closed(world: World) -> None:
    assert world.children() == {"x": ["FINISHED"], "y": ["FAILED"]}
    parent = world.direct.get_run(world.run_id)
    assert (parent.info.status, parent.data.tags["airflow.failed_tasks"]) == ("FAILED", "report")


def two_versions(world: World) -> None:
    world.prepared("a", "b")
    world.register("a")
    world.registry.promote(1, None, "ana", "first")
    world.register("b")


def one_version(world: World) -> None:
    world.prepared("a")
    world.register()


def promoted_twice(world: World) -> None:
    two_versions(world)
    world.registry.promote(2, 1, "ana", "better")


STEPS: dict[str, tuple[Callable[[World], None], Callable[[World], None], Callable[[World], None]]] = {
    "open_run": (lambda world: None, World.open, opened),
    "register": (lambda world: world.prepared("a"), World.register, registered),
    "decide": (one_version, decide, decided),
    "promote": (two_versions, promote, promoted),
    "rollback": (promoted_twice, roll_back, rolled_back),
    "record": (World.open, World.record, recorded),
    "close_run": (with_open_child, lambda world: runs.close_parent(world.run_id, ["report"]), closed),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_cut_anywhere_ends_the_same_when_repeated(
    step: str, world: Callable[[], World], monkeypatch: pytest.MonkeyPatch, record_property: Callable[..., None]
) -> None:
    prepare, work, check = STEPS[step]
    cuts = 0
    for how, repeats in WAYS:
        for number in itertools.count(1):
            one = world()
            one.proxy.cut(None, how)
            prepare(one)
            monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", repeats)
            one.proxy.cut(number, how)
            failed = False
            try:
                work(one)
            except (MlflowException, DatasetError):
                failed = True
            reached = one.proxy.count >= number
            one.proxy.cut(None, how)
            if failed or step != "rollback":  # a rollback that said it was done is not done again
                work(one)
            try:
                check(one)
            except AssertionError as error:
                raise AssertionError(f"{step}, request {number}, {how}, {repeats} repeats: {error}") from error
            if not reached:
                break
            cuts += 1
    record_property("cut points", cuts)
    assert cuts >= 3 * len(WAYS)
    print(f"{step}: {cuts} cut points")
