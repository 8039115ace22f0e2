"""Bringing a project here: a folder is taken where it is, a repository is cloned, a wheel is unpacked with its conf."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from functools import partial
from pathlib import Path

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.project import checked
from tracked_kedro.hosting.project import deployment
from tracked_kedro.kedro_side.plain_values import credential_fault

#: Folder of the deployment for projects that were brought here.
BROUGHT = "projects"
_PYPROJECT = """[project]
name = "{package}"
version = "{version}"
dependencies = [{dependencies}]

[tool.kedro]
package_name = "{package}"
project_name = "{package}"
kedro_init_version = "1.0.0"
source_dir = "src"
"""


@contextmanager
def brought(source: str, name: str = "") -> Iterator[tuple[str, Path]]:
    """A project's name and its folder, after it was brought here where it was not; an error takes it away again.

    Args:
        source: folder, address of a git repository, or wheel.
        name: of the block; the package's without it.

    Raises:
        PermanentError: the source cannot be used.
    """
    if fault := credential_fault(source):
        raise PermanentError(
            f"FROM: {fault.partition(';')[0]}; leave it out: git asks for it, or takes it from its credential helper "
            "or an SSH key"
        )
    path = Path(source).expanduser()
    if path.suffix == ".whl":
        name, bring = name or path.name.partition("-")[0], partial(_unpack, path)
    elif "://" in source or re.match(r"[\w.-]+@[\w.-]+:", source):
        repository = source.rstrip("/").rpartition("/")[2].removesuffix(".git")
        name, bring = name or re.sub(r"\W+", "_", repository), partial(_clone, source)
    elif path.is_dir():
        yield name or str(checked(path.resolve())["package_name"]), path.resolve()
        return
    else:
        raise PermanentError(f"FROM={source}: there is no such folder, seen from {Path.cwd()}")
    target = _free_place(name)
    try:
        bring(target)
        checked(target)
        # What is on one machine only is in no repository and no wheel, and Kedro wants its folder.
        (target / "conf" / "local").mkdir(parents=True, exist_ok=True)
        yield name, target
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def relative(folder: Path) -> str:
    """A project's folder as a block names it."""
    return os.path.relpath(folder, deployment())


def _free_place(name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z_][\w-]*", name):
        raise PermanentError(f"{name!r} cannot name a DAG; choose one of letters, digits and _ with NAME=")
    target = deployment() / BROUGHT / name
    if target.exists():
        raise PermanentError(f"{target} is there already; make remove-project NAME={name}, or choose another NAME=")
    target.parent.mkdir(exist_ok=True)
    return target


def _clone(source: str, target: Path) -> None:
    command = ["git", "clone", "--quiet", "--", source, str(target)]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason was told"])[-1]
        raise PermanentError(f"FROM={source} cannot be cloned: {reason}")


def _unpack(wheel: Path, target: Path) -> None:
    """As `kedro package` makes it: a wheel of the code, and beside it an archive of the configuration."""
    if not wheel.is_file():
        raise PermanentError(f"FROM={wheel}: there is no such file, seen from {Path.cwd()}")
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        about = HeaderParser().parsestr(archive.read(metadata).decode())
        packages = {name.partition("/")[0] for name in archive.namelist() if name.endswith("/pipeline_registry.py")}
        if len(packages) != 1:
            raise PermanentError(f"FROM={wheel}: no wheel of a Kedro project, for it holds no package with pipelines")
        (package,) = packages
        for file in (name for name in archive.namelist() if name.startswith(f"{package}/")):
            archive.extract(file, target / "src")
    conf = wheel.with_name(f"conf-{package}.tar.gz")
    if not conf.is_file():
        raise PermanentError(f"{conf} is missing: `kedro package` makes it beside the wheel")
    with tarfile.open(conf) as archive_of_conf:
        archive_of_conf.extractall(target, filter="data")
    wanted = [one for one in about.get_all("Requires-Dist") or [] if "extra ==" not in one]
    dependencies = ", ".join(f"'{one}'" for one in wanted)
    text = _PYPROJECT.format(package=package, version=about["Version"], dependencies=dependencies)
    (target / "pyproject.toml").write_text(text)
