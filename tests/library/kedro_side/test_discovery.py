"""What packages of pipelines offer is found; one that makes no pipeline is refused by file, line and remedy."""

from __future__ import annotations

import pytest

from tests.fixtures.made_up import MadeUp
from tracked_kedro.kedro_side import discovery
from tracked_kedro.kedro_side.discovery import PipelineError, pipelines_of

STEPS = """
from kedro.pipeline import node, pipeline


def create_pipeline():
    return pipeline([{steps}])
"""
CIRCLE = 'node(len, "x", "y", name="a"), node(len, "y", "x", name="b")'
TWINS = 'node(len, "x", "y", name="a"), node(len, "y", "z", name="a")'
RIVALS = 'node(len, "x", "y", name="a"), node(len, "x", "y", name="b")'
LETTING = STEPS.format(steps='node(len, "x", "y", name="mine")')
PARTS = """

def part():
    return pipeline([node(len, "flats", "count", name="{name}")])


PARTS = {{"data_processing": part, "look": part}}
UNTRACKED = ("look",)
"""


def nodes(made_up: MadeUp) -> dict[str, list[str]]:
    return {name: [node.name for node in made.nodes] for name, made in pipelines_of(made_up.root).items()}


def test_parts_bear_the_name_of_their_pipeline(made_up: MadeUp) -> None:
    made_up.add("flats", pipeline=LETTING + PARTS.format(name="count_flats"))
    assert nodes(made_up) == {
        "flats": ["mine"],
        "flats.data_processing": ["count_flats"],
        "flats.look": ["count_flats"],
        "__default__": ["mine"],
    }
    assert discovery.untracked(made_up.root) == ["flats.look"]


def test_a_package_named_like_a_part_of_another_is_itself(made_up: MadeUp) -> None:
    """`data_processing` is what Kedro's starters call theirs."""
    made_up.add("data_processing", LETTING)
    made_up.add("flats", pipeline=LETTING + PARTS.format(name="count_flats"))
    made_up.add("look", LETTING)
    found = nodes(made_up)
    assert found["data_processing"] == found["look"] == ["mine"]
    assert found["flats.data_processing"] == found["flats.look"] == ["count_flats"]


def test_create_pipeline_may_stand_in_the_package_or_its_module(made_up: MadeUp) -> None:
    made_up.add("in_package", LETTING)
    made_up.add("in_module", pipeline=LETTING)
    made_up.write("single.py", LETTING)
    assert nodes(made_up).keys() == {"in_package", "in_module", "single", "__default__"}


class TestDefault:
    def test_a_lone_pipeline_needs_no_mark(self, made_up: MadeUp) -> None:
        made_up.add("flats", pipeline=LETTING)
        assert nodes(made_up)["__default__"] == ["mine"]
        assert discovery.default_pipeline(made_up.root) == "flats"

    def test_of_two_the_marked_one(self, made_up: MadeUp) -> None:
        made_up.add("flats", pipeline=LETTING)
        made_up.add("rents", pipeline=LETTING.replace("mine", "theirs") + "\nDEFAULT = True\n")
        assert nodes(made_up)["__default__"] == ["theirs"]
        assert discovery.default_pipeline(made_up.root) == "rents"

    def test_of_two_without_a_mark_none(self, made_up: MadeUp) -> None:
        made_up.add("flats", pipeline=LETTING)
        made_up.add("rents", pipeline=LETTING)
        assert nodes(made_up)["__default__"] == []
        assert discovery.default_pipeline(made_up.root) is None

    def test_two_marks_are_refused(self, made_up: MadeUp) -> None:
        for name in ("flats", "rents"):
            made_up.add(name, pipeline=LETTING + "\nDEFAULT = True\n")
        with pytest.raises(PipelineError, match="pipelines flats and rents both say DEFAULT = True"):
            pipelines_of(made_up.root)


class TestOffers:
    def test_resolvers_of_all_pipelines(self, made_up: MadeUp) -> None:
        made_up.add("flats", resolvers='RESOLVERS = {"half": lambda x: x / 2}\n')
        made_up.add("rents", resolvers='RESOLVERS = {"twice": lambda x: 2 * x}\n')
        made_up.add("none")
        found = discovery.resolvers(made_up.root)
        assert {name: function(4) for name, function in found.items()} == {"half": 2, "twice": 8}

    def test_one_resolver_of_two_pipelines_is_refused(self, made_up: MadeUp) -> None:
        for name in ("flats", "rents"):
            made_up.add(name, resolvers='RESOLVERS = {"half": lambda x: x / 2}\n')
        with pytest.raises(PipelineError, match="pipelines flats and rents both define the resolver half; rename one"):
            discovery.resolvers(made_up.root)

    def test_the_model_of_a_block_of_parameters(self, made_up: MadeUp) -> None:
        made_up.add("flats", parameters="PARAMETERS = int\n")
        made_up.add("rents")
        names = ("flats", "rents", "nowhere", "flats.look", "not a name")
        assert [discovery.parameters_model(made_up.root, name) for name in names] == [int, None, None, None, None]

    def test_what_is_to_be_warmed_up(self, made_up: MadeUp) -> None:
        made_up.add("flats", warm_up="def warm_up():\n    return 'warm'\n")
        made_up.add("rents")
        assert [warm_up() for warm_up in discovery.warm_ups(made_up.root)] == ["warm"]


@pytest.mark.parametrize(
    ("text", "place", "message", "remedy"),
    [
        (STEPS.format(steps=CIRCLE), ", line 6: ", "Circular dependencies exist", "make another dataset"),
        (STEPS.format(steps=TWINS), ", line 6: ", "must have unique names", "correct it there"),
        (STEPS.format(steps=RIVALS), ", line 6: ", r"Output\(s\) \['y'\] are returned", "another output"),
        ("import nowhere\n", ", line 1: ", "No module named 'nowhere'", "correct the import"),
        ("def create_pipeline(:\n", ", line 1: ", "SyntaxError: invalid syntax", "correct it there"),
    ],
    ids=["circle", "twins", "rivals", "import", "syntax"],
)
@pytest.mark.parametrize("module", ["__init__", "pipeline"])
def test_each_is_told_with_its_place_and_the_remedy(
    made_up: MadeUp, text: str, place: str, message: str, remedy: str, module: str
) -> None:
    made_up.add("broken", **{"text": text} if module == "__init__" else {"pipeline": text})
    with pytest.raises(
        PipelineError, match=rf"^pipelines/broken/{module}\.py{place}.*{message}.*; .*{remedy}"
    ) as raised:
        pipelines_of(made_up.root)
    assert "\n" not in str(raised.value)


def test_a_function_that_returns_none(made_up: MadeUp) -> None:
    made_up.add("broken", "def create_pipeline():\n    return None\n")
    with pytest.raises(PipelineError, match=r"^pipelines/broken: create_pipeline returned NoneType; it must return"):
        pipelines_of(made_up.root)


def test_a_package_without_the_function_is_no_pipeline(made_up: MadeUp) -> None:
    made_up.add("notes")
    assert nodes(made_up) == {"__default__": []}
