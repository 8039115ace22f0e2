"""Made-up data: whether a run may use it, how a folder of it is told from real files, and what people read of it.

ALLOW_SIMULATED says whether a run that finds no input files may train on a pipeline's simulated sample: `1`, `0`, or
`fresh`, as long as this deployment has read no real files (`make native`). Without it: not in the environment `prod`.
"""

from __future__ import annotations

import os
from pathlib import Path

from tracked_kedro.kedro_side.locations import raw_folder, var_folder

#: A file of this name marks a folder of made-up data.
MARKER = "SIMULATED_SAMPLE.txt"
#: What people read.
SIMULATED = "simulated sample"
VARIABLE = "ALLOW_SIMULATED"


class NoInputError(ValueError):
    """There are no input files, and this deployment does not train on made-up ones."""


def is_simulated(folder: Path | str) -> bool:
    """Whether a folder holds made-up data."""
    return (Path(folder) / MARKER).is_file()


def check_sample_allowed(pipeline: str, files: str, parameter: str) -> None:
    """Refuse to train on a simulated sample where this deployment does not.

    Args:
        pipeline: its name.
        files: what is missing, as a person would look for it: `station_*.csv`.
        parameter: Kedro parameter that names files elsewhere.

    Raises:
        NoInputError: it does not; the message names folder, variable and remedy.
        ValueError: ALLOW_SIMULATED has another value.
    """
    asked = os.environ.get(VARIABLE) or ("0" if os.environ.get("KEDRO_ENV") == "prod" else "1")
    if asked not in ("0", "1", "fresh"):
        raise ValueError(f"{VARIABLE}={asked}: it is 0, 1 or fresh")
    if asked == "1" or (asked == "fresh" and not _note(pipeline).exists()):
        return
    why = "this deployment has read real files before" if asked == "fresh" else f"{VARIABLE} is not 1"
    raise NoInputError(
        f"{pipeline} has no input: {raw_folder()} holds no {files}, and {why}, so that nothing is trained on the "
        f"{SIMULATED}. Put the files there, or name others with {parameter}; {VARIABLE}=1 trains on the sample"
    )


def note_real(pipeline: str) -> None:
    """Remember that this deployment has read real files: it is fresh no longer."""
    if os.environ.get(VARIABLE) == "fresh":
        _note(pipeline).parent.mkdir(parents=True, exist_ok=True)
        _note(pipeline).touch()


def _note(pipeline: str) -> Path:
    return var_folder() / "real_inputs" / pipeline
