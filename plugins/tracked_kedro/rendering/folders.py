"""The three folders of a pipeline: its code, its configuration (one in each environment), its tests."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

BASE = "base"


@dataclass(frozen=True)
class Folders:
    """Where a pipeline stands, whether or not it is there.

    Attributes:
        package: its code.
        conf: its configuration in the base environment.
        tests: its tests, beside the Kedro project.
        others: its configuration in other environments, as far as it is there.
    """

    package: Path
    conf: Path
    tests: Path
    others: tuple[Path, ...]

    def present(self) -> list[Path]:
        """Those that are there."""
        return [path for path in (self.package, self.conf, *self.others, self.tests) if path.is_dir()]


def folders(project: Path, name: str) -> Folders:
    """The folders of the pipeline `name` in a Kedro project."""
    conf = project / "conf"
    others = sorted(path for path in conf.glob(f"*/{name}") if path.is_dir() and path.parent.name != BASE)
    return Folders(
        package=_pipelines(project) / name,
        conf=conf / BASE / name,
        tests=project.parent / "tests" / "pipelines" / name,
        others=tuple(others),
    )


def package_name(project: Path) -> str:
    """Name of the Kedro project's package."""
    return str(_declared(project)["package_name"])


def known(project: Path) -> list[str]:
    """Names of the pipelines that have one of the folders."""
    packages = {path.parent.name for path in _pipelines(project).glob("*/__init__.py")}
    configured = {path.parent.name for path in (project / "conf" / BASE).glob("*/*.yml")}
    tested = {path.parent.name for path in (project.parent / "tests" / "pipelines").glob("*/*.py")}
    return sorted(packages | configured | tested)


def leftovers(project: Path) -> list[str]:
    """Configuration whose pipeline is gone, as after `kedro pipeline delete`, each with the remedy."""
    pipelines = _pipelines(project)
    found = []
    for path in sorted((project / "conf" / BASE).glob("*/airflow.yml")):
        name = path.parent.name
        has_code = any((pipelines / file).exists() for file in (f"{name}/__init__.py", f"{name}.py"))
        # Any folder may hold blocks; one that is named after its block is a pipeline's own.
        block = re.search(rf"^{re.escape(name)}:(.*?)(?=^\S|\Z)", path.read_text(), flags=re.M | re.S)
        # Nor has a hosted project code here.
        if not has_code and block and not re.search(r"^\s+project:", block.group(1), flags=re.M):
            found.append(
                f"conf/{BASE}/{name} is left over: there is no package pipelines/{name} any more; "
                f"remove it (make delete-pipeline NAME={name})"
            )
    return found


def _pipelines(project: Path) -> Path:
    declared = _declared(project)
    return project / declared.get("source_dir", "src") / declared["package_name"] / "pipelines"


def _declared(project: Path) -> dict[str, str]:
    # As Kedro reads it, but without importing the project: what cannot be imported can be deleted all the same.
    return tomllib.loads((project / "pyproject.toml").read_text())["tool"]["kedro"]
