"""A posterior as one NetCDF-4 file, written and read with h5py alone (no xarray, pandas or ArviZ import).

NetCDF-4 is HDF5 whose dimensions are dimension scales (NetCDF-4 file format specification, section 3); written by
hand it takes a tenth of the time that the general libraries take. ArviZ and xarray open the file by group; the group
`posterior` with draws for a person is written on request.
"""

import io
import math
import os
import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .contents import ATTRIBUTE, DATA, POINTS, RECENT_POINTS, Arrays, from_contents, has_recent, to_contents
from .errors import PosteriorFileError
from .inference_data import posterior_draws
from .posterior import Posterior
from .priors import HYPERPARAMETERS

if TYPE_CHECKING:
    import h5py

# HDF5 of 2016 and later: a third smaller than what every HDF5 since 1998 can read.
FILE_FORMAT = ("v110", "v110")
MOST_BYTES = 64 * 1024**2  # of a file and of each array read from it; a usual file has 40 kB
NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable. {:10d}"


def to_netcdf(posterior: Posterior, draws: bool = False) -> bytes:
    """The file's content, 40 kB; `draws` adds the group `posterior`, 60 kB more.

    content = to_netcdf(posterior)
    """
    import h5py  # heavy, and a forecast needs none of it

    groups, attribute = to_contents(posterior)
    if draws and len(posterior.log_theta):
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
        packed = {"compression": "gzip", "shuffle": True, "chunks": values.shape} if values.size else {}
        dataset = group.create_dataset(variable, data=values, **packed)
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
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _own(group: "h5py.Group", name: str) -> Any:
    """What a group holds itself: a link could lead into another file, or anywhere in this one.

    Raises:
        KeyError: there is none, or it is a link.
    """
    from h5py import h5l

    if not group.id.links.exists(name.encode()):
        raise KeyError(f"{name} is absent")
    if group.id.links.get_info(name.encode()).type != h5l.TYPE_HARD:
        raise KeyError(f"{name} is a link")
    return group[name]


def _values(group: "h5py.Group", name: str) -> NDArray[Any]:
    """The numbers of a dataset that are in this file and take no more memory than those of a posterior may.

    Raises:
        KeyError: there are none such.
    """
    dataset = _own(group, name)
    if dataset.external or dataset.is_virtual:
        raise KeyError(f"{name} lies in another file")
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if dataset.dtype.kind not in "fiu" or max(dataset.nbytes, chunk) > MOST_BYTES:
        raise KeyError(f"{name} is no array of numbers of at most {MOST_BYTES} bytes")
    return dataset[...]


def load_posterior(source: str | PathLike[str] | io.BytesIO) -> Posterior:
    """Read what `save_posterior` or `to_inference_data(posterior).to_netcdf(path)` has written.

    posterior = load_posterior("rio.nc")

    Args:
        source: a path, or the content of a file.

    Raises:
        PosteriorFileError: this is not a stored posterior, or one that is far too large or refers to other files.
        FileNotFoundError: there is no such file.
    """
    import h5py  # as above

    name = "this content" if isinstance(source, io.BytesIO) else repr(os.fspath(source))
    size = source.getbuffer().nbytes if isinstance(source, io.BytesIO) else Path(source).stat().st_size
    if size > MOST_BYTES:
        raise PosteriorFileError(f"{name} has more than {MOST_BYTES} bytes, which no stored posterior has")
    try:
        with h5py.File(source, "r") as file:
            points, data = _own(file, POINTS), _own(file, DATA)
            attribute = points.attrs[ATTRIBUTE]
            log_theta, weight = _values(points, "log_theta"), _values(points, "weight")
            values = _values(data, "temperature")
            recent = None
            if has_recent(attribute):
                group = _own(file, RECENT_POINTS)
                recent = _values(group, "log_theta"), _values(group, "weight")
    except FileNotFoundError:
        raise
    except (OSError, KeyError, AttributeError) as error:
        raise PosteriorFileError(f"{name} is not a stored posterior ({error}); fit the series again") from error
    return from_contents(log_theta, weight, values, attribute, recent)
