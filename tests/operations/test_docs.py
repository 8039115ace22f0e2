"""What the pages for people name exists: links, paths, modules, commands of make and of the two command lines."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from operations.__main__ import commands as of_operations
from tests.deployment import ROOT
from tracked_kedro.cli.commands import commands as of_library

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# A page of history names what was.
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
PROJECT = ROOT / "kedro_project"
PIPELINES = PROJECT / "src" / "retraining" / "pipelines"
# Names of files in Markdown's code, beginning with one of these or with a folder of the repository.
BESIDE_A_PROJECT = ("conf/", "src/")
CODE = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^```\w*\n(.*?)^```$|((?:^    .*\n)+)", re.M | re.S)
# Their code, configuration and tests are gone when a pipeline is deleted; its page stays.
OF_A_PIPELINE = re.compile(r"pipelines/(\w+)/|conf/base/(\w+)/|dags/(\w+)_dag\.py")


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def texts() -> list[str]:
    return [page.read_text() for page in PAGES]


def example_names() -> set[str]:
    """Pipelines that a page is about: by its own name, or because the page makes them."""
    made = re.findall(r"make new-pipeline NAME=(\w+)|^`tests/pipelines/(\w+)/", "\n".join(texts()), re.M)
    return {page.stem for page in PAGES} | {name for one in made for name in one if name}


def is_gone(path: str) -> bool:
    """Whether the path belongs to a pipeline that a page is about and that is not here (any more)."""
    found = OF_A_PIPELINE.search(path)
    name = next((part for part in found.groups() if part), "") if found else ""
    return name in example_names() and not (PIPELINES / name).is_dir()


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page: Path):
    text = page.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", text)
    for link in (one or other for one, other in links):
        target, _, anchor = link.partition("#")
        if "://" in link or is_gone(link):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PRESENT, ids=shown)
def test_paths_exist(page: Path):
    tops = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name not in ("var", ".venv"))
    for path in CODE.findall(page.read_text()):
        if re.search(r"[<>*{}$ …]", path) or not path.startswith((*tops, *BESIDE_A_PROJECT)) or is_gone(path):
            continue
        file, _, test = path.partition("::")
        found = (PROJECT if path.startswith(BESIDE_A_PROJECT) else ROOT) / file
        assert found.exists(), path
        assert not test or f"def {test}(" in found.read_text(), path


@pytest.mark.parametrize("page", PRESENT, ids=shown)
def test_modules_exist(page: Path):
    for name in re.findall(r"\b(?:tracked_kedro|operations|retraining)(?:\.\w+)+", page.read_text()):
        if name.endswith((".md", ".py")) or is_gone(name.replace(".", "/") + "/"):
            continue
        assert resolves(name), name


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or what a module's text defines."""
    module, _, last = name.rpartition(".")
    for root in (ROOT / "plugins", PROJECT / "src", ROOT):
        path = root / name.replace(".", "/")
        if path.is_dir() or path.with_suffix(".py").is_file():
            return True
        holder = root / f"{module.replace('.', '/')}.py"
        if holder.is_file():
            return bool(re.search(rf"^(?:class |def |[A-Z_]*){last}\b", holder.read_text(), re.M))
    return False


@pytest.mark.parametrize("page", PRESENT, ids=shown)
def test_commands_exist(page: Path):
    text = page.read_text()
    code = "\n".join([*CODE.findall(text), *(one or other for one, other in FENCED.findall(text))])
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^|[;&|] ?|do )\s*make ([a-z][a-z-]*)", code, re.M)) <= targets
    for package, group in (("tracked_kedro", of_library), ("operations", of_operations)):
        assert set(re.findall(rf"python -m {package} ([a-z][a-z-]*)", code)) <= set(group.commands)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_page_on_architecture_names_every_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert re.findall(r"^\| ([A-Z].*?) \|", page.partition("## Arrows")[2].partition("## Who")[0], re.M) == [
        contract["name"] for contract in contracts
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert "\n".join(f"    {layer}" for layer in layers) in page


def test_every_room_of_the_library_is_on_the_page():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.parent.name for path in (ROOT / "plugins" / "tracked_kedro").glob("*/__init__.py")]
    assert rooms
    assert not [room for room in rooms if f"| `{room}/` |" not in page]


@pytest.mark.parametrize("note", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda note: note.stem)
def test_decisions_carry_number_date_and_state(note: Path):
    title, _, state, *_ = note.read_text().splitlines()
    assert title.startswith(f"# {int(note.name[:4])}. ")
    assert re.match(r"\d{1,2} [A-Z][a-z]+ 20\d\d · (accepted|superseded)", state)
