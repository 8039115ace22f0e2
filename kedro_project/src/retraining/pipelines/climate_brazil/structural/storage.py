"""A posterior as one NetCDF-4 file, written and read with h5py alone (no xarray, pandas or ArviZ import).

NetCDF-4 is HDF5 whose dimensions are dimension scales (NetCDF-4 file format specification, section 3); written by
hand it takes a tenth of the time that the general libraries take. ArviZ and xarray open the file by group; the group
`posterior` with draws for a person is written on request.
"""

import io
import os
import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .contents import ATTRIBUTE, DATA, POINTS, Arrays, from_contents, to_contents
from .errors import PosteriorFileError
from .inference_data import posterior_draws
from .posterior import Posterior
from .priors import HYPERPARAMETERS

if TYPE_CHECKING:
    import h5py

# HDF5 of 2016 and later: a third smaller than what every HDF5 since 1998 can read.
FILE_FORMAT = ("v110", "v110")
NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable. {:10d}"


def to_netcdf(posterior: Posterior, draws: bool = False) -> bytes:
    """The file's content, 40 kB; `draws` adds the group `posterior`, 60 kB more.

    content = to_netcdf(posterior)
    """
    import h5py  # heavy, and a forecast needs none of it

    groups, attribute = to_contents(posterior)
    if draws:
        axes = ("chain", "draw", "harmonic")
        groups["posterior"] = {name: (axes[: v.ndim], v) for name, v in posterior_draws(posterior).items()}
    days = posterior.series.months.astype("datetime64[D]").astype(np.int32)
    content = io.BytesIO()
    with h5py.File(content, "w", libver=FILE_FORMAT) as file:
        for name, arrays in groups.items():
            group = file.create_group(name, track_order=True)
            _write_group(group, arrays, days)
            group.attrs["series_id"] = posterior.series_id
        file[POINTS].attrs[ATTRIBUTE] = attribute
        file[POINTS].attrs["hyperparameters"] = " ".join(HYPERPARAMETERS)
    return content.getvalue()


def _write_group(group: "h5py.Group", arrays: Arrays, days: NDArray[np.int32]) -> None:
    scales = {}
    for dim, size in {
        dim: size for dims, v in arrays.values() for dim, size in zip(dims, v.shape, strict=True)
    }.items():
        if dim == "month":
            scales[dim] = group.create_dataset(dim, data=days)
            scales[dim].attrs["units"] = "days since 1970-01-01"
            scales[dim].attrs["calendar"] = "proleptic_gregorian"
            scales[dim].make_scale(dim)
        else:
            scales[dim] = group.create_dataset(dim, shape=(size,), dtype=">f4")  # never filled, so it takes no space
            scales[dim].make_scale(NO_COORDINATE.format(size))
    for variable, (dims, values) in arrays.items():
        dataset = group.create_dataset(variable, data=values, compression="gzip", shuffle=True, chunks=values.shape)
        for axis, dim in enumerate(dims):
            dataset.dims[axis].attach_scale(scales[dim])


def save_posterior(posterior: Posterior, path: str | PathLike[str], draws: bool = False) -> None:
    """Write the content of `to_netcdf` beside the target and rename: a reader never sees half a file.

    save_posterior(posterior, "rio.nc")

    Args:
        posterior: of one series.
        path: of the file; its folder is made where it is absent.
        draws: whether to add the group `posterior`.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(to_netcdf(posterior, draws))
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_posterior(source: str | PathLike[str] | io.BytesIO) -> Posterior:
    """Read what `save_posterior` or `to_inference_data(posterior).to_netcdf(path)` has written.

    posterior = load_posterior("rio.nc")

    Args:
        source: a path, or the content of a file.

    Raises:
        PosteriorFileError: this is not a stored posterior.
        FileNotFoundError: there is no such file.
    """
    import h5py  # as above

    try:
        with h5py.File(source, "r") as file:
            points, data = file[POINTS], file[DATA]
            attribute = points.attrs[ATTRIBUTE]
            log_theta, weight = points["log_theta"][...], points["weight"][...]
            values = data["temperature"][...]
    except FileNotFoundError:
        raise
    except (OSError, KeyError, AttributeError) as error:
        name = "this content" if isinstance(source, io.BytesIO) else repr(os.fspath(source))
        raise PosteriorFileError(f"{name} is not a stored posterior ({error}); fit the series again") from error
    return from_contents(log_theta, weight, values, attribute)
