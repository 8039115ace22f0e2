"""What a person does to what MLflow keeps, before, during and after a DAG run: each line of docs/other_hands.md."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator

import pytest

from tests.deployment import ROOT
from tests.faults import meddling
from tests.faults.months import DISTRICTS, STEPS, Month, World
from tests.fixtures.rents import write_project
from tests.fixtures.stack import started_server, tasks_of
from tracked_kedro.errors import PermanentError
from tracked_kedro.names import DONE_METRIC, KEY_TAG
from tracked_kedro.parent_run import runs

pytestmark = pytest.mark.filterwarnings("ignore")

LINE = re.compile(r"^\| ([\w ]+) \| (deleted|gc|restored|edited) \| (.+) \| (.+) \| (.+) \|$", re.M)
PAGE = {
    (thing, how, when): said
    for thing, how, *outcomes in LINE.findall((ROOT / "docs" / "other_hands.md").read_text())
    for when, said in zip(meddling.TIMES, outcomes, strict=True)
}
#: What the error of the task that fails says, by what the page says.
REMEDIES = {
    "clear `open_run`": "clear open_run",
    "clear `register`": "clear the task register",
    "run again": "run the month again",
    "roll back": "make rollback TO=",
}
#: What a log says, by what the page says.
WARNINGS = {"first": "judged as a first one|Passed over", "counted": "child runs are finished and 3 were made"}
QUIET = {"goes on", "anew", "empty"}
#: One of each kind; the others are in the other half of the suite.
ALWAYS = {
    ("run", "deleted", "during"),
    ("run", "gc", "before"),
    ("child run", "deleted", "during"),
    ("model version", "edited", "during"),
}
CASES = [
    pytest.param(*case, said, id="-".join(case), marks=[] if case in ALWAYS else pytest.mark.full)
    for case, said in PAGE.items()
    if said != "—"
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two months are retrained: version 2 is champion, version 1 previous."""
    folder = tmp_path_factory.mktemp("hands")
    for name in ("server", "var", "saved"):
        (folder / name).mkdir()
    with started_server(folder / "server") as server, tasks_of(server.address, folder) as patch:
        project = write_project(folder / "lettings")
        for name, value in {"KEDRO_PROJECT_PATH": str(project), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "path", [str(project / "src"), *sys.path])
        patch.setattr(runs, "_SETTLE_SECONDS", 0)
        made = World(server, folder / "var", folder / "saved")
        for number in (1, 2):
            made.months[number] = Month(number)
            made.months[number].run()
        made.save()
        yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == "lettings"]:
        del sys.modules[name]


def test_the_page_has_every_line() -> None:
    every = {(thing, how, when) for thing in meddling.THINGS for how in meddling.DEEDS for when in meddling.TIMES}
    assert PAGE.keys() == every
    assert {(thing, how) for (thing, how, _), said in PAGE.items() if said == "—"} == {
        (thing, "gc") for thing in meddling.NO_GARBAGE
    }
    assert {word for said in PAGE.values() for word in said.split(", ")} == {*REMEDIES, *WARNINGS, *QUIET, "—"}
    assert PAGE.keys() >= ALWAYS


@pytest.mark.parametrize(("thing", "how", "when", "said"), CASES)
def test_the_month_ends_well(
    world: World, thing: str, how: str, when: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.put_back()
    month, words = Month(3), said.split(", ")
    (remedy,) = [REMEDIES[word] for word in words if word in REMEDIES] or [None]
    with caplog.at_level(logging.WARNING):
        if when == "after":
            month.run()
        parent = month.run_id
        if remedy is None:
            _meddle_and_go_on(world, month, thing, how, when)
        else:
            with pytest.raises(PermanentError, match=remedy):
                _meddle_and_go_on(world, month, thing, how, when)
            if "roll back" in words:
                world.registry.rollback(1, "ana", "changed by hand")
            month.run()
    for word in WARNINGS.keys() & set(words):
        assert re.search(WARNINGS[word], caplog.text), caplog.text
    assert (when == "after" and month.run_id != parent) == ("anew" in words)
    _check(world, month, counted="counted" in words)
    following = Month(4)
    following.run()
    _check(world, following)
    assert world.registry.rollback(None, "ana", "as a test")[1] < world.registry.aliases()["challenger"]


@pytest.mark.full
@pytest.mark.parametrize("name", meddling.TOGETHER)
def test_whatever_is_done_at_once_the_errors_say_the_way_on(world: World, name: str) -> None:
    """Last month's things; no error but such as name one of the page's remedies, and none shows what a tag holds."""
    world.put_back()
    meddling.TOGETHER[name](world, world.months[2])
    month = Month(3)
    for _ in range(2):
        try:
            month.run()
            break
        except PermanentError as error:
            assert re.search("|".join(REMEDIES.values()), str(error))
            assert "xxxx" not in str(error)
            if REMEDIES["roll back"] in str(error):
                numbers = world.registry.aliases()
                # Where the model was made anew, this month's version is the only other one.
                other = 1 if numbers["champion"] != 1 else numbers["challenger"]
                world.registry.rollback(other, "ana", "by hand")
    else:
        pytest.fail("the remedies lead nowhere")
    Month(4).run()
    assert world.registry.is_whole(int(world.registry.version("champion").version))


def _meddle_and_go_on(world: World, month: Month, thing: str, how: str, when: str) -> None:
    meddle = meddling.THINGS[thing]
    if when == "before":
        meddle(world, world.months[2], how)
        month.run()
    elif when == "during":
        last = "flats" if thing in meddling.EARLY else "decide"
        month.run(last=last)
        meddle(world, month, how)
        month.run(first=STEPS[STEPS.index(last) + 1])
    else:
        meddle(world, month, how)
        month.run()


def _check(world: World, month: Month, counted: bool = False) -> None:
    """Parent, children, counts and version agree, and the champion is this month's and whole."""
    parent = world.client.get_run(month.run_id)
    assert parent.info.status == "FINISHED"
    keys = [run.data.tags.get(KEY_TAG) for run in world.children(month.run_id) if run.info.status == "FINISHED"]
    named = [key for key in keys if key is not None]
    assert len(named) == len(set(named)) == parent.data.metrics[DONE_METRIC]
    assert (len(named) != len(DISTRICTS)) == counted
    champion = world.registry.version("champion")
    assert world.registry.is_whole(int(champion.version))
    own = parent.data.tags["model_version"].partition("/")[2]
    assert world.registry.is_whole(int(own))
    # A new parent's version is another one with the same data, which is no news.
    assert champion.tags["data_digest"] == world.registry.version(own).tags["data_digest"]
    # Nothing is written into a history that was deleted where the version is champion already.
    assert [event.version for event in world.registry.history()][-1:] in ([], [int(champion.version)])
    assert "move" not in world.registry.known().tags
