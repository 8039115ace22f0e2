"""`make backup` and `make restore` of the containers: the service `backup` does the work. Standard library only.

The service has the code, the programs of Postgres and the secrets' files; this machine gives it a folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from operations.compose import engine, up
from operations.locations import backup_file

SERVICE, INSIDE = "backup", "/backups"
STORES = {"postgres", *up.OBJECT_STORES}


def backup(file: Path) -> None:
    """Write a backup of the running stack into a file, which only the owner of the secrets can read.

    Raises:
        SystemExit: the stores do not run, or it failed; no file is left.
    """
    _refuse_unless_set_up()
    missing = {"postgres", engine.variables()["OBJECT_STORE"]} - _running()
    if missing:
        sys.exit(f"{', '.join(sorted(missing))} does not run, so there is nothing to back up: make up")
    folder = file.absolute().parent
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:  # the service is the secrets' owner, never root
            os.chown(folder, int(engine.variables()["AIRFLOW_UID"]), 0)
    # The stores are up: nothing else is started or asked for.
    _run(folder, "", ["--no-deps"], ["backup", "--file", f"{INSIDE}/{file.name}"])


def restore(file: Path, force: bool, unsigned: bool = False) -> None:
    """Restore the stopped stack from a file; starts the stores where they do not run, on volumes new or old.

    The service judges what is in the file, before it touches anything.

    Raises:
        SystemExit: the file is no backup, the disk has no room for it, the stack is running or not empty, or a store
            refuses.
    """
    if not (file.is_file() and tarfile.is_tarfile(file)):
        sys.exit(f"{file} is no backup; FILE= names a file that `make backup` has written")
    _refuse_unless_set_up()
    if busy := _running() - STORES:
        sys.exit(f"The stack is running ({', '.join(sorted(busy))}); stop it first: make down")
    # What it replaces is not known before the stores run.
    if not force and (root := engine.root_folder()).exists() and file.stat().st_size > shutil.disk_usage(root).free:
        sys.exit(f"{root} has less room than {file} needs ({file.stat().st_size / 1e6:,.0f} MB); make room first")
    up.build()
    options = [*["--force"] * force, *["--unsigned"] * unsigned]
    _run(file.absolute().parent, ":ro", [], ["restore", "--file", f"{INSIDE}/{file.name}", *options])


def _refuse_unless_set_up() -> None:
    if found := up.refusals():
        sys.exit("Nothing was done:\n" + "\n".join(f"  - {problem}" for problem in found))


def _running() -> set[str]:
    return {state["Service"] for state in engine.states() if state["State"] == "running"}


def _run(folder: Path, mode: str, options: list[str], command: list[str]) -> None:
    """Run the service on a folder; what it says of files is told as this machine calls them."""
    mounted = ["--rm", "-T", "--volume", f"{folder}:{INSIDE}{mode}", *options]
    line = engine.compose("run", *mounted, SERVICE, *command)
    with subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for printed in process.stdout:
            print(printed.replace(f"{INSIDE}/", f"{folder}/"), end="", flush=True)
    if process.returncode:
        sys.exit(f"`make {command[0]}` failed; the lines above say why")


def main() -> None:
    """Back up, or restore, as the Makefile says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["backup", "restore"])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--unsigned", action="store_true")
    given = parser.parse_args()
    if given.what == "backup":
        backup(given.file or backup_file())
    else:
        restore(given.file, given.force, given.unsigned)


if __name__ == "__main__":
    main()
