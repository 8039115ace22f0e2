"""A backup is a file that anybody may have written: it is judged whole before anything is touched."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from operations.backup import databases, transfer
from operations.backup.archive import Archive, Writer
from operations.backup.entries import MANIFEST, SIGNATURE, is_legal
from operations.backup.manifest import signature
from operations.backup.place import Bucket, Place, signing_key
from operations.native.secrets import Secrets

KEY = "k" * 32
ENTRIES = {"databases/airflow": b"PGDMP a", "databases/mlflow": b"PGDMP m", "artifacts/one": b"12345"}
PER_EXAMPLE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    with Writer(tmp_path / "small.tar", KEY) as archive:
        for name, content in ENTRIES.items():
            archive.add(name, len(content), io.BytesIO(content))
    return tmp_path / "small.tar"


def forged(folder: Path, more: list[tuple[tarfile.TarInfo, bytes]], key: str = KEY) -> Path:
    """An archive with more entries, all of it as its manifest says and well signed: only the judgement of names,
    kinds and sizes is left.
    """
    plain = [(tarfile.TarInfo(name), content) for name, content in ENTRIES.items()]
    made, files = folder / "forged.tar", {}
    with tarfile.open(made, "w") as tar:
        for entry, content in [*plain, *more]:
            if entry.isreg() and not entry.pax_headers:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
            files[entry.name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        text = json.dumps(
            {"format": 2, "made": "2026-11-28T12:00:00+00:00", "packages": {"mlflow": "3.0"}, "files": files}
        ).encode()
        for name, content in ((MANIFEST, text), (SIGNATURE, signature(text, key))):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made


def test_a_damaged_or_cut_off_archive_is_refused_before_anything_is_touched(small: Path, tmp_path: Path):
    assert Archive.verified(small, KEY).manifest.files["artifacts/one"].size == 5
    whole = small.read_bytes()
    for name, content, message in (
        ("changed", whole.replace(b"12345", b"12354"), "artifacts/one' is not what was backed up"),
        ("cut", whole[:1024], "no manifest"),
        ("other", b"no tar at all", "cannot be read"),
        ("empty", b"", "cannot be read"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(click.ClickException, match=message):
            Archive.verified(tmp_path / name, KEY)
    (tmp_path / "newer").write_bytes(whole.replace(b'"mlflow": "3.', b'"mlflow": "9.'))
    with pytest.raises(click.ClickException, match="was made with mlflow 9"):
        Archive.verified(tmp_path / "newer", KEY, unsigned=True)


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path):
    with pytest.raises(ValueError, match="the store is gone"), Writer(tmp_path / "half.tar", KEY) as archive:
        archive.add("data/one", 1, io.BytesIO(b"1"))
        raise ValueError("the store is gone")
    assert list(tmp_path.iterdir()) == []


HOSTILE = [
    "databases//{victim}",
    "databases/../../victim",
    "databases/airflow/../../victim",
    "databases/postgres",
    "databases/airflow ",
    "{victim}",
    "../victim",
    "artifacts/../victim",
    "artifacts//victim",
    "artifacts/./victim",
    "artifacts/",
    "data/" + "x" * 1025,
    "more/victim",
    "./artifacts/two",
    "Databases/airflow",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_only_known_names_are_taken_from_a_backup_even_where_it_is_signed(tmp_path: Path, name: str):
    file = forged(tmp_path, [(tarfile.TarInfo(name.format(victim=tmp_path / "victim")), b"x")])
    with pytest.raises(click.ClickException, match=r"is no name of a backup's entry|is no plain file"):
        Archive.verified(file, KEY)
    with pytest.raises(ValueError, match=r"is no name|is no plain"):
        list(Archive(file, None).entries("databases"))
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"Z"],
)
def test_links_devices_and_folders_are_refused(tmp_path: Path, kind: bytes):
    entry = tarfile.TarInfo("artifacts/two")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with pytest.raises(click.ClickException, match="'artifacts/two' is no plain file"):
        Archive.verified(forged(tmp_path, [(entry, b"")]), KEY)


def test_what_says_to_be_larger_than_it_is_is_refused(tmp_path: Path):
    sparse = tarfile.TarInfo("artifacts/two")
    sparse.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": str(2**50),
        "GNU.sparse.realsize": str(2**50),
    }
    with pytest.raises(click.ClickException, match=r"no plain file|cannot be read"):
        Archive.verified(forged(tmp_path, [(sparse, b"")]), KEY)
    longer = tarfile.TarInfo("artifacts/two")
    longer.pax_headers = {"size": str(2**50)}
    with pytest.raises(click.ClickException, match="cannot be read"):
        Archive.verified(forged(tmp_path, [(longer, b"")]), KEY)


def test_a_size_that_leads_backwards_is_an_error_and_no_endless_loop(tmp_path: Path):
    entry = tarfile.TarInfo("artifacts/two")
    entry.pax_headers = {"size": "-1024"}
    with pytest.raises(click.ClickException, match="cannot be read"):
        Archive.verified(forged(tmp_path, [(entry, b"")]), KEY)


def test_a_compressed_archive_has_no_end_that_is_known_and_is_refused(small: Path, tmp_path: Path):
    (tmp_path / "bomb.tar").write_bytes(gzip.compress(small.read_bytes()))
    with pytest.raises(click.ClickException, match="cannot be read as a backup"):
        Archive.verified(tmp_path / "bomb.tar", KEY)


@pytest.mark.parametrize("name", ["databases/airflow", "artifacts/one", MANIFEST])
def test_an_entry_that_is_there_twice_is_refused(tmp_path: Path, name: str):
    with pytest.raises(click.ClickException, match="is there twice"):
        Archive.verified(forged(tmp_path, [(tarfile.TarInfo(name), b"another")]), KEY)


@pytest.mark.parametrize(
    ("there", "manifest"),
    [
        ("nothing", b"{}"),
        ("no JSON", b"["),
        ("deep", b"[" * 4000),
        ("another format", b'{"format": 3, "made": "2026-11-28T12:00:00Z", "packages": {}, "files": {}}'),
        ("another package", b'{"format": 2, "made": "2026-11-28T12:00:00Z", "packages": {"../x": "1"}, "files": {}}'),
        ("no version", b'{"format": 2, "made": "2026-11-28T12:00:00Z", "packages": {"mlflow": "x"}, "files": {}}'),
        ("no databases", b'{"format": 2, "made": "2026-11-28T12:00:00Z", "packages": {}, "files": {}}'),
        ("too long", b" " * 20000),
    ],
)
def test_a_manifest_is_what_it_should_be(tmp_path: Path, there: str, manifest: bytes):
    with tarfile.open(tmp_path / "it.tar", "w") as tar:
        for name, content in ((MANIFEST, manifest), (SIGNATURE, signature(manifest, KEY))):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(click.ClickException, match=r"no manifest|no complete backup"):
        Archive.verified(tmp_path / "it.tar", KEY)


def test_a_backup_of_another_key_or_of_none_wants_a_word_that_says_what_it_means(small: Path, tmp_path: Path):
    with pytest.raises(click.ClickException, match=r"signed with another key.*secrets/backup_signing_key.*UNSIGNED=1"):
        Archive.verified(small, "another" * 8)
    with pytest.raises(click.ClickException, match=r"has no key to check it with.*UNSIGNED=1"):
        Archive.verified(small, None)
    without = tmp_path / "without.tar"
    with tarfile.open(small) as tar, tarfile.open(without, "w") as copy:
        for entry in tar:
            if entry.name != SIGNATURE:
                copy.addfile(entry, tar.extractfile(entry))
    with pytest.raises(click.ClickException, match=r"has no signature: it is older.*who may log in.*UNSIGNED=1"):
        Archive.verified(without, KEY)
    for file, key in ((small, None), (small, "another" * 8), (without, KEY)):
        assert Archive.verified(file, key, unsigned=True).size("artifacts") == 5
    # Nobody vouches for it: the rest is judged all the more.
    with pytest.raises(click.ClickException, match="is no name"):
        Archive.verified(forged(tmp_path, [(tarfile.TarInfo("../x"), b"")], "another"), KEY, unsigned=True)


@PER_EXAMPLE
@given(st.one_of(st.text(), st.from_regex(r"(databases|artifacts|data)/[/.\\a-c]{0,12}", fullmatch=True)))
@example("databases//etc/cron.d/x")
@example("artifacts/..")
def test_a_legal_name_is_a_path_below_its_folder(name: str):
    if is_legal(name):
        folder, _, rest = name.partition("/")
        assert folder in ("databases", "artifacts", "data")
        assert os.path.normpath(Path("/top") / rest) == f"/top/{rest}"


@PER_EXAMPLE
@given(name=st.builds("{}/{}".format, st.sampled_from(["artifacts", "data"]), st.text(min_size=1)).filter(is_legal))
@example(name="artifacts/" + "ü" * 500)
def test_what_a_backup_takes_is_given_back_under_the_same_name(name: str, tmp_path: Path):
    with Writer(tmp_path / "one.tar", KEY) as archive:
        for known, content in {**ENTRIES, name: b"of that name"}.items():
            archive.add(known, len(content), io.BytesIO(content))
    folder, _, key = name.partition("/")
    found = {key: content.read() for key, content in Archive.verified(tmp_path / "one.tar", KEY).entries(folder)}
    assert found[key] == b"of that name"


@PER_EXAMPLE
@given(place=st.integers(0, 6 * 1024), byte=st.integers(0, 255))
def test_whatever_byte_is_changed_the_answer_is_one_line(small: Path, tmp_path: Path, place: int, byte: int):
    content = bytearray(small.read_bytes())
    content[place % len(content)] = byte
    (tmp_path / "changed.tar").write_bytes(content)
    for unsigned in (False, True):
        try:
            Archive.verified(tmp_path / "changed.tar", KEY, unsigned)
        except click.ClickException as error:
            assert str(error.message).startswith(str(tmp_path / "changed.tar"))


class Objects:
    """An S3 client of a bucket with one byte under each key."""

    def get_object(self, Bucket: str, Key: str) -> dict[str, object]:
        return {"ContentLength": 1, "Body": io.BytesIO(b"1")}


def test_one_object_with_a_hostile_name_does_not_keep_the_others_from_being_backed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    keys = ["a/../../b", "a//b", "/b", "folder/", "good", "with\nbreak\\and more"]
    monkeypatch.setattr(Bucket, "objects", lambda self: ((key, int(key != "folder/")) for key in keys))
    monkeypatch.setattr(databases, "dump", lambda address, target: target.write_bytes(b"PGDMP"))
    bucket = Bucket("any", Objects())
    place = Place({"mlflow": "", "airflow": ""}, {"data": bucket, "artifacts": bucket}, "", "", KEY)
    transfer.backup(place, tmp_path / "it.tar")
    kept = {"good", "with\nbreak\\and more"}
    archive = Archive.verified(tmp_path / "it.tar", KEY)
    assert {key for key, _ in archive.entries("artifacts")} == kept
    said = capsys.readouterr().out
    assert "the object 'a/../../b' is left out" in said
    with pytest.raises(ValueError, match="is no name"), Writer(tmp_path / "other.tar", KEY) as other:
        other.add("data/..", 1, io.BytesIO(b"1"))
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar"]


def test_a_disk_that_is_too_full_is_told_before_anything_is_touched(small: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(databases, "count", lambda address, table: 0)
    touched = []
    monkeypatch.setattr(databases, "load", lambda *known: touched.append(known))
    archive = Archive.verified(small, KEY)
    huge = archive.manifest.files["databases/mlflow"].model_copy(update={"size": 2**60})
    known = {**archive.manifest.files, "databases/mlflow": huge}
    archive = Archive(small, archive.manifest.model_copy(update={"files": known}))
    place = Place({"mlflow": "", "airflow": ""}, {}, "", "", KEY)
    with pytest.raises(click.ClickException, match=r"MB free, and .* MB would go there; make room first"):
        transfer.restore(place, archive, force=True)
    assert not touched


def test_a_new_machine_has_no_key_until_the_secrets_are_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    assert signing_key(tmp_path / "absent") is None
    made = Secrets.of(tmp_path)
    assert signing_key(tmp_path) == made.backup_signing
    assert made.backup_signing not in repr(made)
