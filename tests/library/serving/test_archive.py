"""What a model brings along: the modules that it imports, no other, under a name of their own."""

from __future__ import annotations

import importlib
import runpy
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.library.serving.conftest import write
from tracked_kedro.serving.archive import Code, pack
from tracked_kedro.serving.renaming import renamed
from tracked_kedro.serving.unpacking import CONTENT, folder_of

SERVED = "made_up.pipelines.prices.served_model"


def packed(**more: object) -> Code:
    return pack(SERVED, "prices", "made_up", **more)


def contents(code: Code) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(code.archive)) as outer:
        content = zipfile.ZipFile(BytesIO(outer.read(f"{code.name}/{CONTENT}")))
        return {name: content.read(name).decode() for name in content.namelist()}


def test_only_what_is_imported_comes_along_and_no_package_s_own_code(made_up: Path) -> None:
    files = contents(packed())
    assert {name for name in files if not name.endswith("__init__.py")} == {
        f"made_up/pipelines/prices/{name}.py" for name in ("pricing", "rates", "rounding")
    }
    assert files["made_up/pipelines/prices/__init__.py"] == "", "the starter's asks for Kedro"


def test_parts_of_the_library_come_along_with_what_they_import(made_up: Path) -> None:
    write(made_up, {"pipelines/prices/rates.py": "from tracked_kedro.promotion.evidence import Evidence\nRATE = 1\n"})
    code = packed()
    files = contents(code)
    assert "tracked_kedro/promotion/evidence.py" in files
    assert files["made_up/pipelines/prices/rates.py"].startswith(f"from {code.name}.tracked_kedro.promotion.evidence ")
    assert not [name for name in files if name.startswith("tracked_kedro/web")]


def test_the_same_code_has_one_name_whenever_and_wherever_it_is_packed(made_up: Path) -> None:
    first = packed()
    assert packed() == first
    write(made_up, {"pipelines/prices/rates.py": "RATE = 11\n"})
    assert packed().name != first.name
    assert first.name.startswith("served_prices_")


PACKED = {"rents", "rents.pipelines", "rents.pipelines.flats", "rents.pipelines.flats.nodes"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from rents.pipelines.flats.nodes import fit", "from S.rents.pipelines.flats.nodes import fit"),
        ("from rents.pipelines import flats", "from S.rents.pipelines import flats"),
        ("from  rents.pipelines  import (\n    flats,\n)", "from S.rents.pipelines  import (\n    flats,\n)"),
        ("import rents.pipelines.flats as f", "import S.rents.pipelines.flats as f"),
        ("import rents.pipelines.flats", "import S.rents.pipelines.flats; from S import rents"),
        ("import os, rents.pipelines as p", "import os; import S.rents.pipelines as p"),
        ("é = 1; from rents.pipelines import flats", "é = 1; from S.rents.pipelines import flats"),
        ("def f():\n    from rents import pipelines", "def f():\n    from S.rents import pipelines"),
        ('x = ["rents.pipelines", "rents.pipelines.flats.nodes.fit"]', None),
        ("from . import nodes", "from . import nodes"),
        ("import rentsy, numpy", "import rentsy, numpy"),
        ("rents = table; rents.pipelines.sum()", "rents = table; rents.pipelines.sum()"),
        (
            '"rents.zip"; "see rents.pipelines"; f"{x}rents.pipelines"',
            '"rents.zip"; "see rents.pipelines"; f"{x}rents.pipelines"',
        ),
        ("# from rents.pipelines import flats", "# from rents.pipelines import flats"),
    ],
)
def test_imports_lead_into_the_package_and_nothing_else_changes(source: str, expected: str | None) -> None:
    expected = expected or 'x = ["S.rents.pipelines", "S.rents.pipelines.flats.nodes.fit"]'
    assert renamed(source, "S", PACKED) == expected


def test_what_the_model_s_own_file_says_first_stays_first(made_up: Path) -> None:
    text = packed().text
    compile(text, "prices.py", "exec")
    assert text.splitlines()[:3] == [
        '"""How the registered model of prices answers."""',
        "",
        "from __future__ import annotations",
    ]
    assert f"from {packed().name}.made_up.pipelines.prices.pricing import Pricing" in text


class TestUnpacked:
    """Where the code is unpacked: one folder for each code, its owner's alone; else one of this process."""

    @pytest.fixture
    def code(self, made_up: Path) -> Code:
        return packed()

    @pytest.fixture
    def archive(self, code: Code, tmp_path: Path) -> str:
        path = tmp_path / "code.zip"
        path.write_bytes(code.archive)
        return str(path)

    @pytest.fixture
    def kept(self, code: Code, tmp_path: Path) -> Path:
        return tmp_path / "cache" / "tracked_kedro" / code.name

    def test_it_is_kept_for_its_owner(self, code: Code, archive: str, kept: Path) -> None:
        assert folder_of(code.name, archive) == folder_of(code.name, archive) == str(kept)
        assert [oct(folder.stat().st_mode & 0o777) for folder in (kept, kept.parent)] == ["0o700", "0o700"]
        assert [path.name for path in kept.parent.iterdir()] == [code.name], "nothing is left beside it"

    def test_the_package_is_imported_from_there_and_goes_on_without_the_archive(
        self, code: Code, archive: str, kept: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "path", [*sys.path, archive])
        package = importlib.import_module(code.name)
        Path(archive).unlink()
        pricing = importlib.import_module(f"{code.name}.made_up.pipelines.prices.pricing")
        assert (list(package.__path__), Path(pricing.__file__).is_relative_to(kept)) == ([str(kept)], True)

    def test_loading_leaves_the_path_of_imports_as_it_was(self, code: Code, archive: str, tmp_path: Path) -> None:
        """The archive of a model that was downloaded, or saved, is gone later."""
        write(tmp_path, {"model/prices.py": code.text})
        (tmp_path / "model" / "artifacts").mkdir()
        Path(archive).rename(tmp_path / "model" / "artifacts" / "code.zip")
        before = list(sys.path)
        runpy.run_path(str(tmp_path / "model" / "prices.py"))
        assert (code.name in sys.modules, sys.path) == (True, before)

    def test_a_folder_that_was_changed_is_not_used(self, code: Code, archive: str, kept: Path) -> None:
        folder_of(code.name, archive)
        rates = kept / "made_up/pipelines/prices/rates.py"
        rates.write_text("RATE = 99\n")
        other = Path(folder_of(code.name, archive))
        assert other != kept
        assert (other / "made_up/pipelines/prices/rates.py").read_text() == "RATE = 10\n"

    @pytest.mark.parametrize("which", ["kept", "its parent"])
    def test_a_folder_that_others_may_write_to_is_not_used(self, code: Code, archive: str, kept: Path, which) -> None:
        folder_of(code.name, archive)
        (kept if which == "kept" else kept.parent).chmod(0o777)
        assert folder_of(code.name, archive) != str(kept)

    def test_a_link_is_not_followed(self, code: Code, archive: str, kept: Path, tmp_path: Path) -> None:
        kept.parent.mkdir(mode=0o700, parents=True)
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        kept.symlink_to(tmp_path / "elsewhere")
        assert folder_of(code.name, archive) != str(kept)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_without_a_place_to_keep_it_a_process_has_its_own(
        self, code: Code, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "cache").write_text("no folder")
        folder = Path(folder_of(code.name, archive))
        assert (folder / "made_up/pipelines/prices/rates.py").is_file()
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
