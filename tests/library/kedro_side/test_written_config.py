"""Files of configuration are parsed once a process; no value, environment or change of a file gets lost for it."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.fixtures.rents import Rents
from tracked_kedro.kedro_side import written_config
from tracked_kedro.kedro_side.config_loader import ConfigLoader, SharedKeyError, entries_of
from tracked_kedro.kedro_side.sessions import Session

CATALOG = """
_json: {type: json.JSONDataset}
rents: {filepath: "/${runtime_params:run_key,none}/rents.json", type: "${_json.type}"}
copy: {type: json.JSONDataset, filepath: "${rents.filepath}.copy"}
whole: ${copy}
broken: {type: json.JSONDataset, filepath: "${nowhere}"}
"{name}_table": {type: json.JSONDataset, filepath: "/{name}.json"}
"""


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration whose files count as old at once, in a process that remembers none yet."""
    monkeypatch.setattr(written_config, "_kept", {})
    monkeypatch.setattr(written_config, "_YOUNG_NS", -(10**18))
    (tmp_path / "conf" / "local").mkdir(parents=True)
    write(tmp_path / "conf", "base/rents/catalog.yml", CATALOG)
    write(tmp_path / "conf", "base/rents/parameters.yml", "rents: {rows: 3, sample: {seed: 1}}")
    return tmp_path / "conf"


def write(conf: Path, file: str, text: str) -> Path:
    path = conf / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def loader(conf: Path, env: str | None = None, **runtime_params: Any) -> ConfigLoader:
    return ConfigLoader(
        str(conf), base_env="base", default_run_env="local", env=env, runtime_params=runtime_params or None
    )


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by each text that is parsed."""
    texts: list[str] = []
    original = OmegaConf.load
    monkeypatch.setattr(OmegaConf, "load", lambda file: texts.append(file.getvalue()) or original(file))
    return texts


def test_a_file_is_parsed_once_a_process_whoever_asks(conf: Path, parsed: list[str]):
    for number in range(3):
        assert loader(conf, rents={"rows": number})["parameters"]["rents"]["rows"] == number
    assert len(parsed) == 1


def test_runtime_parameters_of_one_task_are_not_those_of_the_next(conf: Path):
    for rows in (7, 8):
        assert loader(conf, rents={"sample": {"seed": rows}, "new": rows})["parameters"]["rents"]["new"] == rows
    assert loader(conf)["parameters"] == {"rents": {"rows": 3, "sample": {"seed": 1}}}
    with entries_of(frozenset({"rents"})):
        found = [loader(conf, run_key=key)["catalog"]["rents"]["filepath"] for key in ("one", "two")]
        found.append(loader(conf)["catalog"]["rents"]["filepath"])
    assert found == ["/one/rents.json", "/two/rents.json", "/none/rents.json"]


def test_what_was_read_of_a_kept_file_may_be_changed_by_whoever_asked(conf: Path):
    first = loader(conf)["parameters"]
    first["rents"]["sample"]["seed"] = 9
    assert loader(conf)["parameters"]["rents"]["sample"]["seed"] == 1


def test_a_resolver_that_remembers_answers_anew_for_each_loader(conf: Path):
    write(conf, "base/airflow.yml", "rents: {name: '${drawn:}'}")
    numbers = count()
    OmegaConf.register_new_resolver("drawn", lambda: next(numbers), use_cache=True, replace=True)
    try:
        assert [loader(conf)["airflow"]["rents"]["name"] for _ in range(2)] == [0, 1]
    finally:
        OmegaConf.clear_resolver("drawn")


def test_an_environment_is_not_another(conf: Path):
    write(conf, "prod/parameters.yml", "rents: {rows: 1000}")
    found = [loader(conf, env)["parameters"]["rents"]["rows"] for env in (None, "prod", None, "prod")]
    assert found == [3, 1000, 3, 1000]


def test_a_changed_file_is_read_again_though_its_size_and_time_are_the_old_ones(conf: Path):
    path = conf / "base" / "rents" / "parameters.yml"
    assert loader(conf)["parameters"]["rents"]["rows"] == 3
    before = path.stat()
    path.write_text(path.read_text().replace("rows: 3", "rows: 4"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert loader(conf)["parameters"]["rents"]["rows"] == 4


def test_a_file_more_or_less_is_seen(conf: Path):
    assert "shop" not in loader(conf)["parameters"]
    path = write(conf, "base/shop/parameters.yml", "shop: {open: true}")
    assert "shop" in loader(conf)["parameters"]
    path.unlink()
    assert "shop" not in loader(conf)["parameters"]


def test_a_change_behind_a_link_is_seen(conf: Path, tmp_path: Path):
    """As of a mounted ConfigMap: a file is a link through a folder that is a link, and the latter changes."""
    for number in (1, 2):
        write(tmp_path, f"state{number}/parameters.yml", f"shop: {{open: {number}}}")
    data = tmp_path / "data"
    (conf / "base" / "shop").mkdir()
    (conf / "base" / "shop" / "parameters.yml").symlink_to(data / "parameters.yml")
    for number in (1, 2):
        data.unlink(missing_ok=True)
        data.symlink_to(tmp_path / f"state{number}")
        assert loader(conf)["parameters"]["shop"]["open"] == number


def test_a_folder_that_holds_itself_ends(conf: Path):
    (conf / "base" / "again").symlink_to(conf / "base")
    assert len(written_config.state_of(str(conf / "base"))) == 2


def test_what_was_written_just_now_is_not_kept(conf: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str]):
    """It may change again within one tick of the file system's clock."""
    monkeypatch.setattr(written_config, "_YOUNG_NS", 10**18)
    for _ in range(2):
        loader(conf)["parameters"]
    assert len(parsed) == 2


def test_an_error_is_one_the_second_time_too(conf: Path):
    write(conf, "base/shop/catalog.yml", "copy: {type: MemoryDataset}")
    for _ in range(2):
        with pytest.raises(SharedKeyError):
            loader(conf)["catalog"]


def test_credentials_are_not_kept(conf: Path):
    write(conf, "local/credentials.yml", "store: {key: hidden}")
    assert loader(conf)["credentials"] == {"store": {"key": "hidden"}}
    assert "hidden" not in str(written_config._kept)


def test_of_the_catalog_only_what_is_wanted_is_resolved(conf: Path):
    write(conf, "local/catalog.yml", "rents: {type: json.JSONDataset, filepath: /mine.json}")
    with entries_of(frozenset({"rents", "whole"})):
        found = loader(conf, run_key="one")["catalog"]
    assert found == {
        "rents": {"type": "json.JSONDataset", "filepath": "/mine.json"},
        "whole": {"type": "json.JSONDataset", "filepath": "/one/rents.json.copy"},
        "{name}_table": {"type": "json.JSONDataset", "filepath": "/{name}.json"},
    }


def test_parsing_ahead_resolves_nothing(conf: Path, parsed: list[str]):
    loader(conf).read_ahead()
    assert len(parsed) == 2
    with entries_of(frozenset({"rents"})):
        loader(conf)["catalog"]
    assert len(parsed) == 2


def test_a_task_reads_the_entries_of_its_nodes_alone(rents: Rents):
    """Another pipeline's entry that nothing can resolve is not in its way."""
    path = rents.project / "conf" / "base" / "other" / "catalog.yml"
    path.parent.mkdir()
    path.write_text('other: {type: MemoryDataset, data: "${nowhere}"}')
    Session("rents", {"use_mlflow": False}).run(nodes=["read"])


def test_a_project_with_hooks_of_its_own_has_its_whole_catalog(rents: Rents):
    settings = rents.project / "src" / "lettings" / "settings.py"
    settings.write_text(
        settings.read_text() + "\nfrom kedro.framework.hooks import hook_impl\n"
        "class _Hook:\n"
        "    @hook_impl\n"
        "    def after_catalog_created(self, catalog):\n"
        "        assert 'aside' in catalog\n"
        "HOOKS = (_Hook(),)\n"
    )
    path = rents.project / "conf" / "base" / "other" / "catalog.yml"
    path.parent.mkdir()
    path.write_text("aside: {type: MemoryDataset}")
    Session("rents", {"use_mlflow": False}).run(nodes=["read"])
