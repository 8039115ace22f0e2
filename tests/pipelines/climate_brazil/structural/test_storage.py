import io
import json
import pickle
import weakref

import h5py
import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    Fleet,
    GroupClimate,
    InvalidHorizonError,
    ModelConfig,
    PosteriorFileError,
    Series,
    StructuralError,
    audit,
    borrow,
    fit,
    from_inference_data,
    load_posterior,
    pack,
    save_posterior,
    to_inference_data,
    to_netcdf,
)


@pytest.fixture(scope="module")
def posterior(simulated):
    return fit(simulated(240, missing=0.2, first="1979-12"), ModelConfig(kernel="matern12"), seed=3)


def same(a, b):
    np.testing.assert_array_equal(a.forecast(24).mean, b.forecast(24).mean)
    np.testing.assert_array_equal(a.forecast(24).quantile([0.05, 0.95]), b.forecast(24).quantile([0.05, 0.95]))
    np.testing.assert_array_equal(a.forecast(3).draws(50, 1), b.forecast(3).draws(50, 1))
    np.testing.assert_array_equal(a.in_sample().mean, b.in_sample().mean)
    names = ("series_id", "first_month", "last_month", "n_months", "y_mean", "y_sd", "method_used")
    for name in (*names, "diagnostics", "model"):
        assert getattr(a, name) == getattr(b, name), name


def test_file_round_trip_is_exact_and_small(posterior, tmp_path):
    path = tmp_path / "nested" / "posterior.nc"
    save_posterior(posterior, path)
    loaded = load_posterior(path)
    same(posterior, loaded)
    np.testing.assert_array_equal(loaded.start.proposal.scale, posterior.start.proposal.scale)
    assert path.stat().st_size < 64 * 1024
    assert [p.name for p in path.parent.iterdir()] == ["posterior.nc"]


def test_the_file_is_plain_netcdf(posterior, tmp_path):
    import xarray as xr

    save_posterior(posterior, tmp_path / "p.nc")
    with xr.open_dataset(tmp_path / "p.nc", group="posterior_predictive", engine="h5netcdf") as bands:
        np.testing.assert_array_equal(bands["month"].values, posterior.series.months.astype("datetime64[ns]"))
        np.testing.assert_allclose(bands["mean"], posterior.in_sample().mean, rtol=1e-6)
        low, high = posterior.in_sample().interval(0.8)
        np.testing.assert_allclose(bands["high"] - bands["low"], high - low, atol=1e-5)


def test_draws_are_a_group_of_the_same_file(posterior, tmp_path):
    import xarray as xr

    save_posterior(posterior, tmp_path / "p.nc", draws=True)
    with xr.open_dataset(tmp_path / "p.nc", group="posterior", engine="h5netcdf") as draws:
        assert dict(draws.sizes) == {"chain": 1, "draw": 1000, "harmonic": 11}
        assert draws["fourier"].dims == ("chain", "draw", "harmonic")
        theirs = to_inference_data(posterior).posterior
        assert set(draws.data_vars) == set(theirs.data_vars)
        np.testing.assert_array_equal(draws["sigma"], theirs["sigma"])
    same(posterior, load_posterior(tmp_path / "p.nc"))
    assert to_netcdf(posterior, draws=True) == (tmp_path / "p.nc").read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_inference_data_round_trip(posterior, tmp_path):
    import arviz as az

    idata = to_inference_data(posterior)
    assert dict(idata.posterior.sizes) == {"chain": 1, "draw": 1000, "harmonic": 11}
    assert {"sigma", "amplitude", "lengthscale", "intercept", "slope", "fourier"} == set(idata.posterior.data_vars)
    mean = posterior.weights @ posterior.theta
    np.testing.assert_allclose(az.extract(idata)["sigma"].mean(), mean[0], rtol=0.02)
    same(posterior, from_inference_data(idata))
    idata.to_netcdf(str(tmp_path / "idata.nc"), engine="h5netcdf")
    same(posterior, load_posterior(tmp_path / "idata.nc"))
    same(
        posterior,
        from_inference_data(az.from_netcdf(str(tmp_path / "idata.nc"), engine="h5netcdf")),
    )


@pytest.mark.filterwarnings("ignore")
def test_two_windows_and_a_logarithm_come_back_from_every_kind_of_file(simulated, tmp_path):
    model = ModelConfig(recent_years=3, transform="log", seasonal_sd=(0.5,) * 6, damping=0.9)
    both, one = fit(simulated(60, name="both"), model), fit(simulated(60, name="one"))
    assert both.recent is not None and one.recent is None
    save_posterior(both, tmp_path / "p.nc")
    archive = Fleet(pack([one, both]))
    for again in (
        load_posterior(tmp_path / "p.nc"),
        archive.posterior("both"),
        from_inference_data(to_inference_data(both)),
    ):
        same(both, again)
        assert again.recent.model == both.recent.model and len(again.recent.series) == 36
    same(one, archive.posterior("one"))
    with h5py.File(tmp_path / "p.nc", "a") as file:
        del file["recent_unconstrained_posterior"]
    with pytest.raises(PosteriorFileError, match="is not a stored posterior"):
        load_posterior(tmp_path / "p.nc")


def test_an_archive_from_before_two_windows_is_read(simulated):
    posterior = fit(simulated(60))
    old = {}
    with np.load(io.BytesIO(pack([posterior])), allow_pickle=False) as archive:
        old = {name: archive[name] for name in archive.files if not name.startswith("recent")}
    text = json.loads(old["attribute"].tobytes())
    del text["step"]
    new = ("seasonal_sd", "shape_prior", "damping", "transform", "recent_years")
    text["model"] = {name: value for name, value in text["model"].items() if name not in new}
    old["attribute"] = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
    old["attribute_end"] = np.array([len(old["attribute"])])
    content = io.BytesIO()
    np.savez_compressed(content, **old)
    same(posterior, Fleet(content.getvalue()).posterior("simulated"))


def test_a_foreign_file_is_named(tmp_path):
    (tmp_path / "x.nc").write_bytes(b"no")
    with pytest.raises(PosteriorFileError, match=r"x\.nc"):
        load_posterior(tmp_path / "x.nc")
    with pytest.raises(FileNotFoundError):
        load_posterior(tmp_path / "absent.nc")


def external_link(file, secret):
    del file["observed_data"]
    file["observed_data"] = h5py.ExternalLink(str(secret), "/observed_data")


def external_array(file, secret):
    del file["observed_data/temperature"]
    file["observed_data"].create_dataset("temperature", (64,), "f8", external=[(str(secret), 0, 512)])


def virtual_array(file, secret):
    layout = h5py.VirtualLayout((240,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "observed_data/temperature", (240,))
    del file["observed_data/temperature"]
    file["observed_data"].create_virtual_dataset("temperature", layout)


def soft_link(file, secret):
    file.move("observed_data/temperature", "elsewhere")
    file["observed_data/temperature"] = h5py.SoftLink("/elsewhere")


def soft_link_to_itself(file, secret):
    del file["observed_data"]
    file["observed_data"] = h5py.SoftLink("/observed_data")


def terabytes(file, secret):
    del file["observed_data/temperature"]
    file["observed_data"].create_dataset("temperature", (10**12,), "f8", chunks=(1000,), compression="gzip")


def a_chunk_of_gigabytes(file, secret):
    del file["observed_data/temperature"]
    shape = {"shape": (240,), "maxshape": (None,), "chunks": (400_000_000,)}
    file["observed_data"].create_dataset("temperature", dtype="f8", compression="gzip", **shape)


def texts(file, secret):
    del file["observed_data/temperature"]
    file["observed_data"]["temperature"] = ["a", "b"]


@pytest.mark.parametrize(
    "attack",
    [
        external_link,
        external_array,
        virtual_array,
        soft_link,
        soft_link_to_itself,
        terabytes,
        a_chunk_of_gigabytes,
        texts,
    ],
)
def test_a_file_leads_nowhere_else_and_takes_no_memory(posterior, tmp_path, attack):
    save_posterior(posterior, tmp_path / "secret.nc")
    save_posterior(posterior, tmp_path / "p.nc")
    with h5py.File(tmp_path / "p.nc", "a") as file:
        attack(file, tmp_path / "secret.nc")
    with pytest.raises(PosteriorFileError, match=r"p\.nc.* is not a stored posterior"):
        load_posterior(tmp_path / "p.nc")


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    with (tmp_path / "p.nc").open("wb") as file:
        file.truncate(2**32)
    with pytest.raises(PosteriorFileError, match="more than 67108864 bytes"):
        load_posterior(tmp_path / "p.nc")


@pytest.mark.parametrize("n_ahead", [0, 601, -1])
def test_horizon_bounds(posterior, n_ahead):
    with pytest.raises(InvalidHorizonError):
        posterior.forecast(n_ahead)


def test_a_forecast_can_be_pickled_and_a_posterior_slimmed(posterior):
    forecast = posterior.forecast(6)
    again = pickle.loads(pickle.dumps(forecast))
    np.testing.assert_array_equal(again.draws(20, 3), forecast.draws(20, 3))
    # 2 MB a series, of which a shard has many: the forecast must not hold what the posterior forgets.
    held = weakref.ref(posterior.conditional)
    posterior.forget()
    assert held() is None
    np.testing.assert_array_equal(posterior.forecast(6).mean, forecast.mean)


def test_fifty_years_ahead(posterior):
    forecast = posterior.forecast(600)
    assert np.isfinite(forecast.mean).all() and (np.diff(forecast.sd[-12:]) > -1e-3).all()


@pytest.mark.parametrize("log", [False, True])
def test_what_a_short_series_borrows_is_stored_and_shown_like_a_posterior(simulated, tmp_path, log):
    climate = GroupClimate.of([simulated(120, seed=seed) for seed in range(3)], log)
    months = Series("new", np.datetime64("2003-05"), np.array([26.0, 25.0, np.nan, 24.0]))
    new = borrow(months, climate)
    save_posterior(new, tmp_path / "new.nc", draws=True)
    for again in (
        load_posterior(tmp_path / "new.nc"),
        Fleet(pack([new])).posterior("new"),
        pickle.loads(pickle.dumps(new)),
    ):
        same(new, again)
    parts = new.components(8)
    middle = new.forecast(8).quantile(0.5)[0]
    np.testing.assert_allclose((parts["trend"] + parts["seasonality"])[4:], middle, rtol=1e-6)
    assert np.isfinite(new.summary["sd"]).all() and (new.summary["low"] < new.summary["high"]).all()
    with pytest.raises(StructuralError, match="no posterior to audit"):
        audit(months, new)
    with pytest.raises(StructuralError, match="no posterior"):
        to_inference_data(new)
