"""The commit that a run's tag names, where a person may trust it: one that this checkout's own history holds."""

from __future__ import annotations

import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tracked_kedro.cli.printable import printable

_FULL_ID = re.compile(r"[0-9a-f]{40}")


class CannotReproduceError(ValueError):
    """A run lacks what is needed to run it again; the message says what."""


@dataclass(frozen=True)
class Commit:
    """A commit that is an ancestor of what a person has checked out, or of a branch that the person names.

    Attributes:
        repository: the checkout.
        full_id: 40 hexadecimal digits.
        said: short id, date and subject, for people.
    """

    repository: Path
    full_id: str
    said: str

    @classmethod
    def of(cls, repository: Path, tag: str, branch: str = "HEAD") -> Commit:
        """Judge what a tag says.

            Commit.of(project_path().parent, run.data.tags["git_commit"])

        Args:
            repository: the checkout.
            tag: whatever somebody has written into the run's tag `git_commit`.
            branch: whose history is trusted, by a person's word.

        Raises:
            CannotReproduceError: it is no full commit id, or no commit of that history.
        """
        if not _FULL_ID.fullmatch(tag):
            raise CannotReproduceError(
                f"its tag git_commit is {printable(tag)!r}, which is no full commit id (40 hexadecimal digits)"
            )
        if _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{branch}^{{commit}}").returncode:
            raise CannotReproduceError(f"{printable(branch)!r} is no branch of {repository}; BRANCH= names one")
        if _git(repository, "merge-base", "--is-ancestor", "--end-of-options", tag, branch).returncode:
            raise CannotReproduceError(
                f"commit {tag} is not in {repository} among the ancestors of {printable(branch)}: only code that this "
                "history holds is run; fetch it, and name its branch with BRANCH= if you trust that"
            )
        said = _git(repository, "log", "-1", "--date=short", "--format=%h (%ad) %s", "--end-of-options", tag).stdout
        return cls(repository, tag, printable(said.strip()))

    def export(self, target: Path) -> None:
        """Write its files into a folder that does not exist yet.

        Raises:
            CannotReproduceError: git cannot.
        """
        archive = target.with_suffix(".tar")
        command = ["archive", "--format=tar", f"--output={archive}", "--end-of-options", self.full_id]
        done = _git(self.repository, *command)
        if done.returncode:
            raise CannotReproduceError(f"git cannot export {self.full_id}: {done.stderr.strip()}")
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, errors="replace")
