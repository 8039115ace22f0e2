"""A posterior as one NetCDF-4 file, written and read with h5netcdf alone (no xarray, pandas or ArviZ import).

ArviZ and xarray open the same file by group; the group `posterior` with draws for a person is written on request.
"""

import os
import tempfile
from os import PathLike
from pathlib import Path

import numpy as np

from .contents import ATTRIBUTE, DATA, POINTS, from_contents, to_contents
from .errors import PosteriorFileError
from .inference_data import posterior_draws
from .posterior import Posterior
from .priors import HYPERPARAMETERS


def save(posterior: Posterior, path: str | PathLike[str], draws: bool = False) -> None:
    """Write beside the target and rename: a reader sees the old file or the new one, never half of one."""
    import h5netcdf

    groups, attribute = to_contents(posterior)
    if draws:
        axes = ("chain", "draw", "harmonic")
        groups["posterior"] = {name: (axes[: v.ndim], v) for name, v in posterior_draws(posterior).items()}
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        with h5netcdf.File(temporary, "w") as file:
            for name, arrays in groups.items():
                group = file.create_group(name)
                for variable, (dims, values) in arrays.items():
                    for dim, size in zip(dims, values.shape, strict=True):
                        if dim not in group.dimensions:
                            group.dimensions[dim] = size
                    packing = {"compression": "gzip", "shuffle": True, "chunks": values.shape}
                    group.create_variable(variable, dims, values.dtype, data=values, **packing)
                if "month" in group.dimensions:
                    days = posterior.series.months.astype("datetime64[D]").astype(np.int32)
                    month = group.create_variable("month", ("month",), days.dtype, data=days)
                    month.attrs["units"] = "days since 1970-01-01"
                    month.attrs["calendar"] = "proleptic_gregorian"
                group.attrs[ATTRIBUTE if name == POINTS else "series_id"] = (
                    attribute if name == POINTS else posterior.series_id
                )
            file.groups[POINTS].attrs["hyperparameters"] = " ".join(HYPERPARAMETERS)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: str | PathLike[str]) -> Posterior:
    """Read what `save`, or `to_inference_data().to_netcdf(path)`, has written."""
    import h5netcdf

    try:
        with h5netcdf.File(path, "r") as file:
            points, data = file.groups[POINTS], file.groups[DATA]
            attribute = points.attrs[ATTRIBUTE]
            log_theta, weight = points.variables["log_theta"][...], points.variables["weight"][...]
            values = data.variables["temperature"][...]
    except FileNotFoundError:
        raise
    except (OSError, KeyError, AttributeError) as error:
        raise PosteriorFileError(
            f"{os.fspath(path)!r} is not a stored posterior ({error}); fit the series again"
        ) from error
    return from_contents(log_theta, weight, values, attribute)
