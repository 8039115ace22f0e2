"""The configuration loader: a folder per pipeline, no key in two files, entries for pipelines that promote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog

from tracked_kedro.kedro_side.config_loader import ConfigLoader, SharedKeyError
from tracked_kedro.kedro_side.plain_values import NotLiteralError
from tracked_kedro.promotion.catalog import promotion_entries


@pytest.fixture
def conf(tmp_path: Path, var: Path) -> Path:
    """Configuration of two pipelines, of which one promotes; its names end like those of the other's promotion."""
    write(tmp_path, "rents/airflow.yml", "rents: {registered_model: {name: letting}}")
    write(tmp_path, "shop/airflow.yml", "shop: {description: Shop}")
    write(tmp_path, "shop/catalog.yml", 'shop_table: {type: MemoryDataset, data: "${run_folder:shop,null}"}')
    (tmp_path / "conf" / "local").mkdir()
    return tmp_path / "conf"


def write(folder: Path, file: str, text: str, env: str = "base") -> None:
    path = folder / "conf" / env / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def loader(conf: Path, **options: Any) -> ConfigLoader:
    options = {"base_env": "base", "default_run_env": "local", "more_entries": promotion_entries, **options}
    return ConfigLoader(str(conf), **options)


def test_each_pipeline_s_folder_is_read(conf: Path):
    write(conf.parent, "airflow.yml", "default: {owner: me}")
    write(conf.parent, "rents/parameters.yml", "rents: {rows: 3}")
    write(conf.parent, "shop/parameters.yml", "shop: {open: true}")
    read = loader(conf)
    assert set(read["airflow"]) == {"default", "rents", "shop"}
    assert read["parameters"] == {"rents": {"rows": 3}, "shop": {"open": True}}


@pytest.mark.parametrize("key", ["companies", "_run"])
@pytest.mark.parametrize("kind", ["catalog", "airflow", "mlflow"])
def test_a_key_of_two_files_is_refused_in_one_line_that_names_both(conf: Path, kind: str, key: str):
    for name in ("rents", "shop"):
        write(conf.parent, f"{name}/{kind}.yml", f"{key}: {{type: MemoryDataset}}")
    with pytest.raises(SharedKeyError) as refused:
        loader(conf)[kind]
    assert str(refused.value) == (
        f"conf/base/rents/{kind}.yml and conf/base/shop/{kind}.yml both define {key}; each file needs keys of its own: "
        "rename one, or write its value where it is used"
    )


def test_what_was_read_cannot_be_changed_by_whoever_asked(conf: Path):
    write(conf.parent, "shop/parameters.yml", "shop: {open: [1]}")
    read = loader(conf, runtime_params={"shop": {"sold": 2}})
    read["parameters"]["shop"]["open"].append(2)
    assert read["parameters"] == {"shop": {"open": [1], "sold": 2}}
    read["parameters"] = {"set": True}
    assert read["parameters"] == {"set": True}


def test_each_loader_reads_by_its_own_parameters_whichever_was_made_last(conf: Path):
    """Kedro's resolvers are the process's."""
    write(conf.parent, "mlflow.yml", "tracking: {experiment: {name: '${runtime_params:pipeline,none}'}}")
    first, second = (loader(conf, runtime_params={"pipeline": name}) for name in ("rents", "shop"))
    plain = loader(conf)
    names = [read["mlflow"]["tracking"]["experiment"]["name"] for read in (first, second, plain, first)]
    assert names == ["rents", "shop", "none", "rents"]


def test_an_environment_may_say_a_key_again(conf: Path):
    write(conf.parent, "shop/catalog.yml", "shop_table: {type: MemoryDataset, data: theirs}", env="local")
    assert loader(conf)["catalog"]["shop_table"]["data"] == "theirs"


def test_a_pipeline_that_promotes_has_the_entries_for_it(conf: Path, var: Path):
    found = loader(conf, runtime_params={"run_key": "monthly", "approval": {"by": "me"}})["catalog"]
    assert found["rents_evidence"]["filepath"] == f"{var}/data/rents/monthly/evidence.json"
    assert found["rents_champion"]["model"] == "letting"
    assert found["rents_approval"]["data"] == {"by": "me"}


@pytest.mark.parametrize("name", ["summer_promotion", "sales_champion", "loan_decision", "shop_approval", "x_evidence"])
def test_a_dataset_of_another_pipeline_may_be_named_alike(conf: Path, name: str):
    assert name not in DataCatalog.from_config(loader(conf)["catalog"])


def test_an_entry_of_one_s_own_wins(conf: Path):
    write(conf.parent, "rents/catalog.yml", "rents_evidence: {type: MemoryDataset}")
    assert loader(conf)["catalog"]["rents_evidence"] == {"type": "MemoryDataset"}


@pytest.mark.parametrize(
    "resolver",
    ["form_choices:/proc/self/environ", "globals:secret", "oc.env:HOME", "oc.decode:1", "run_folder:a,b", "x"],
)
@pytest.mark.parametrize(
    "parameters",
    [
        {"shop": {"flats": "VALUE"}},
        {"shop": {"deep": {"flats": "before VALUE after"}}},
        {"shop": {"flats": ["one", {"flats": "VALUE"}]}},
        {"shop": {"flats": ("VALUE",)}},
        {"flats": {"VALUE": 1}},
    ],
)
def test_a_value_from_outside_is_never_interpolated(conf: Path, resolver: str, parameters: dict[str, Any]):
    """The value would be executed, and what it made shown in logs; neither it nor a part of it is in the message."""
    asked = json.loads(json.dumps(parameters).replace("VALUE", f"${{{resolver}}}"))
    with pytest.raises(NotLiteralError, match="flats: a value from outside is taken as it is written") as raised:
        loader(conf, runtime_params=asked)
    assert resolver not in str(raised.value).replace("expression", "")


def test_a_dollar_alone_is_a_character(conf: Path):
    write(conf.parent, "shop/parameters.yml", "shop: {price: 1}")
    assert loader(conf, runtime_params={"shop": {"price": "$5 {each}"}})["parameters"] == {
        "shop": {"price": "$5 {each}"}
    }
