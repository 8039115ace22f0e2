"""Attacks by somebody who may write to MLflow and to artifacts, without the key: nothing of theirs is loaded."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner
from kedro.framework import project
from mlflow.tracking import MlflowClient

from tracked_kedro.cli.commands import commands
from tracked_kedro.promotion.challenger import MlflowChallengerDataset
from tracked_kedro.promotion.datasets import (
    MlflowChampionDataset,
    MlflowChampionsDataset,
    MlflowVersionDataset,
)
from tracked_kedro.promotion.evidence import EVIDENCE_FILE, Candidate, Evidence
from tracked_kedro.promotion.registry import Registry, RegistryError
from tracked_kedro.serving.server import Scorer
from tracked_kedro.serving.signing import (
    FILES_TAG,
    SIGNATURE_TAG,
    SigningKeyError,
    TrustedFiles,
    UntrustedVersionError,
    is_ours,
    signed,
    signing_key,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


class Registered:
    """A champion that this deployment has made, and what an attacker does with it."""

    def __init__(self, client: MlflowClient, tmp_path: Path) -> None:
        self.client, self.registry, self.proof = client, Registry("prices", client), tmp_path / "executed"
        self.served = Registry("prices", client).version("champion")
        self.folder = Path(str(self.served.source).removeprefix("file://"))

    def attackers_code(self, folder: Path) -> None:
        """Model files that leave a trace where they are loaded."""
        file = folder / "prices.py"
        file.write_text(f"open({str(self.proof)!r}, 'w').close()\n" + file.read_text())

    def another(self, source: str, tags: dict[str, str] | None = None, model: str = "prices") -> int:
        """A version that the attacker registers."""
        version = self.client.create_model_version(model, source, self.served.run_id, tags=tags or {})
        return int(version.version)

    def copied(self, to: Path) -> str:
        """The model with the attacker's code in it, at another place."""
        shutil.copytree(self.folder, to)
        self.attackers_code(to)
        return to.as_uri()


@pytest.fixture
def registered(
    made_up: Path, parent: Any, store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Registered:
    monkeypatch.setattr(project, "PACKAGE_NAME", "made_up")
    dataset = MlflowChallengerDataset("prices", "prices", str(tmp_path / "challenger.json"))
    dataset.save(Candidate({"base.txt": b"500"}, Evidence(metrics={"rmse": 1.0}, data_digest="d")))
    Registry("prices", store).promote(dataset.load()["version"], None, "ana", "first")
    return Registered(store, tmp_path)


def outside(one: Registered, var: Path) -> tuple[int, str]:
    return one.another(one.copied(var.parent / "elsewhere"), one.served.tags), "outside this deployment's artifacts"


def by_dots(one: Registered, var: Path) -> tuple[int, str]:
    one.copied(var.parent / "elsewhere")
    root = (var / "mlflow" / "artifacts").as_uri()
    return one.another(f"{root}/../../../elsewhere", one.served.tags), "outside this deployment's artifacts"


def by_link(one: Registered, var: Path) -> tuple[int, str]:
    one.copied(var.parent / "elsewhere")
    (var / "mlflow" / "artifacts" / "link").symlink_to(var.parent / "elsewhere")
    source = (var / "mlflow" / "artifacts" / "link").as_uri()
    return one.another(source, one.served.tags), "outside this deployment's artifacts"


def without_signature(one: Registered, var: Path) -> tuple[int, str]:
    return one.another(
        one.copied(var / "mlflow" / "artifacts" / "evil")
    ), "it is not signed; .*make sign-models VERSION=prices/2"


def another_ones_signature(one: Registered, var: Path) -> tuple[int, str]:
    source = one.copied(var / "mlflow" / "artifacts" / "evil")
    return one.another(source, one.served.tags), "prices.py is not the file that was signed"


def own_signature(one: Registered, var: Path) -> tuple[int, str]:
    source = one.copied(var / "mlflow" / "artifacts" / "evil")
    with pytest.MonkeyPatch.context() as patch:
        key = var.parent / "attackers_key"
        key.write_text("k" * 64)
        patch.setenv("MODEL_SIGNING_KEY_FILE", str(key))
        tags = signed("prices", var / "mlflow" / "artifacts" / "evil")
    return one.another(source, tags), "its signature is wrong"


def own_list_of_files(one: Registered, var: Path) -> tuple[int, str]:
    folder = var / "mlflow" / "artifacts" / "evil"
    source = one.copied(folder)
    tags = {FILES_TAG: signed("prices", folder)[FILES_TAG], SIGNATURE_TAG: one.served.tags[SIGNATURE_TAG]}
    return one.another(source, tags), "its signature is wrong"


def replaced_files(one: Registered, var: Path) -> tuple[int, str]:
    one.attackers_code(one.folder)
    return int(one.served.version), "prices.py is not the file that was signed"


def signature_of_another_model(one: Registered, var: Path) -> tuple[int, str]:
    tags = signed("rents", one.folder)
    return one.another(str(one.served.source), tags), "its signature is wrong"


ATTACKS = [
    outside,
    by_dots,
    by_link,
    without_signature,
    another_ones_signature,
    own_signature,
    own_list_of_files,
    replaced_files,
    signature_of_another_model,
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_an_attacker_is_run(
    registered: Registered, var: Path, attack: Callable[[Registered, Path], tuple[int, str]]
) -> None:
    number, told = attack(registered, var)
    # That files were replaced is seen when they are read; all else before anything is moved.
    if "not the file" not in told:
        for move in (
            lambda: registered.registry.rollback(number, "ben", "try this"),
            lambda: registered.registry.promote(number, 1, "ben", "better"),
        ):
            with pytest.raises(RegistryError, match=told):
                move()
        done = CliRunner().invoke(commands, ["rollback", "--model", "prices", "--to", str(number)])
        assert (done.exit_code, "is refused" in done.output) == (1, True)
        assert registered.registry.aliases()["champion"] == 1
    # An MLflow user may move the alias, too.
    registered.client.set_registered_model_alias("prices", "champion", str(number))
    for reference in ("champion", str(number)):
        scorer = Scorer("prices", reference, registered.registry.version)
        with pytest.raises(UntrustedVersionError, match=f"^prices version {number} is refused: .*({told})") as caught:
            scorer.refresh()
        assert "\n" not in str(caught.value)
    assert not registered.proof.exists()


@pytest.mark.parametrize("gone", ["", EVIDENCE_FILE])
def test_a_version_whose_files_are_gone_is_not_served_and_one_line_says_so(registered: Registered, gone: str) -> None:
    place = registered.folder / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    for reference in ("prices", "prices/1"):
        done = CliRunner().invoke(commands, ["serve", "--model", reference, "--port", "5099"])
        assert done.exit_code == 1
        [line] = done.output.splitlines()
        assert line.startswith("Error: prices version 1 ")
        assert "is there no more; restore it from a backup, or retrain" in line


def test_evidence_and_files_that_were_replaced_are_not_compared(registered: Registered) -> None:
    evidence = registered.folder / "evidence.json"
    kept = evidence.read_text()
    (registered.folder / "artifacts" / "base.txt").write_text("1")
    champion = MlflowChampionDataset("prices").load()
    assert champion is not None
    with pytest.raises(UntrustedVersionError, match=r"artifacts/base\.txt is not the file that was signed"):
        champion.file("base.txt")
    with pytest.raises(UntrustedVersionError, match=r"artifacts/\.\./evidence.json is not the file"):
        champion.file("../evidence.json")
    evidence.write_text(kept.replace("1.0", "0.0"))
    told = "prices version 1 is refused: evidence.json is not the file that was signed"
    with pytest.raises(Exception, match=told):
        MlflowChampionDataset("prices").load()
    with pytest.raises(Exception, match=told):
        MlflowVersionDataset("prices/1").load()
    with pytest.raises(UntrustedVersionError, match=told):
        MlflowChampionsDataset("prices").load()[1]()


def test_a_file_that_nobody_signed_is_not_brought_along(registered: Registered, tmp_path: Path) -> None:
    (registered.folder / "sitecustomize.py").write_text("raise SystemExit")
    TrustedFiles(registered.served).fetch(tmp_path / "copy")
    assert not (tmp_path / "copy" / "sitecustomize.py").exists()
    assert (tmp_path / "copy" / "MLmodel").exists()


@pytest.mark.parametrize(
    ("source", "ours"),
    [
        ("mlflow-artifacts:/1/abc/artifacts/model/d", True),
        ("mlflow-artifacts://evil.example.org/1/abc", False),
        ("mlflow-artifacts:/1/../../abc", False),
        ("mlflow-artifacts:/1/%2e%2e/abc", False),
        ("mlflow-artifacts:/", False),
        ("s3://ours/models/1/a", True),
        ("s3://ours/models-of-others/1", False),
        ("s3://ours/models/../others", False),
        ("s3://other/models/1/a", False),
        ("file:///tmp/x", False),
        ("/tmp/x", False),
        ("http://127.0.0.1/x", False),
        ("runs:/abc/model", False),
        ("models:/prices/1", False),
        ("", False),
    ],
)
def test_where_a_server_keeps_artifacts_is_told_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, source: str, ours: bool
) -> None:
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "http://127.0.0.1:5000")
    monkeypatch.setenv("MODEL_LOCATIONS", "s3://ours/models")
    assert is_ours(source) is ours


class TestKey:
    def test_the_embedded_store_has_one_that_only_its_owner_reads(self, store: MlflowClient, var: Path) -> None:
        with pytest.raises(SigningKeyError, match=r"cannot be read; the first `make retrain` makes it"):
            signing_key()
        key = signing_key(make=True)
        assert signing_key(make=True) == signing_key() == key
        assert stat.S_IMODE((var / "model_signing_key").stat().st_mode) == 0o600
        assert not list(var.glob(".model_signing_key*"))

    def test_a_server_s_key_is_named_by_the_operator(
        self, var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "http://127.0.0.1:5000")
        with pytest.raises(SigningKeyError, match="MODEL_SIGNING_KEY_FILE is not set"):
            signing_key(make=True)
        monkeypatch.setenv("MODEL_SIGNING_KEY_FILE", str(tmp_path / "key"))
        with pytest.raises(SigningKeyError, match="cannot be read; `make secrets`"):
            signing_key(make=True)
        (tmp_path / "key").write_text("short")
        with pytest.raises(SigningKeyError, match="shorter than 32") as caught:
            signing_key()
        assert "short\n" not in str(caught.value)


class TestVersionsFromBefore:
    def unsigned(self, registered: Registered) -> None:
        for tag in (FILES_TAG, SIGNATURE_TAG):
            registered.client.delete_model_version_tag("prices", "1", tag)

    def sign(self, *arguments: str) -> str:
        done = CliRunner().invoke(commands, ["sign-models", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    def test_they_are_signed_once_and_what_comes_later_is_not(self, registered: Registered, var: Path) -> None:
        self.unsigned(registered)
        elsewhere = registered.another(registered.copied(var.parent / "elsewhere"))
        assert self.sign().splitlines() == [
            f"prices version {elsewhere} is not signed: its source is outside this deployment's artifacts",
            "prices version 1 is signed",
        ]
        scorer = Scorer("prices", "champion", registered.registry.version)
        assert scorer.refresh() == 1
        (record,) = var.glob("models_signed_*.json")
        assert "prices version 1 is signed" in json.loads(record.read_text())["versions"]

        later = registered.another(registered.copied(var / "mlflow" / "artifacts" / "evil"))
        assert "were signed earlier" in self.sign()
        assert SIGNATURE_TAG not in registered.registry.version(later).tags
        shown = CliRunner().invoke(commands, ["models", "--model", "prices"]).output
        assert shown.count("not signed: refused") == 2

    @pytest.mark.parametrize("lost", ["models_signed_*.json", "model_signing_key"])
    def test_a_lost_record_or_key_does_not_bring_the_first_time_back(
        self, registered: Registered, var: Path, lost: str
    ) -> None:
        """On a new machine, or with a new key, what somebody else has put there meanwhile is not signed unasked."""
        self.sign()
        later = registered.another(registered.copied(var / "mlflow" / "artifacts" / "evil"))
        for file in var.glob(lost):
            file.unlink()
        assert "were signed earlier" in self.sign()
        assert SIGNATURE_TAG not in registered.registry.version(later).tags

    def test_a_person_may_vouch_for_one(self, registered: Registered) -> None:
        self.unsigned(registered)
        assert self.sign("--version", "prices/1") == "prices version 1 is signed\n"
        TrustedFiles(registered.registry.version(1))


def test_months_of_a_pipeline_go_on_from_champion_to_champion(rents: Any, store: MlflowClient, var: Path) -> None:
    rents.run("rents")
    rents.run("rents", sample={"seed": 2})
    registry = Registry("rents", store)
    assert len(registry.versions()) == 2
    for version in registry.versions():
        TrustedFiles(version).fetch(var / "copies" / str(version.version))
    scorer = Scorer("rents", "champion", registry.version)
    assert scorer.refresh() == registry.aliases()["champion"]

    # Whose files were replaced meanwhile is nothing to be measured by.
    source = Path(str(registry.version("champion").source).removeprefix("file://"))
    (source / "evidence.json").write_text('{"metrics": {"mean_rent": 1e9}}')
    with pytest.raises(Exception, match=r"rents version \d is refused: evidence\.json is not the file that was signed"):
        rents.run("rents", sample={"seed": 3})
