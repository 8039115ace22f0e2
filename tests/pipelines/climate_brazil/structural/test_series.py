import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    ConstantSeriesError,
    InvalidSeriesError,
    ModelConfig,
    Series,
    StructuralError,
    TooFewMonthsError,
    fit,
)
from retraining.pipelines.climate_brazil.structural.seasonality import fourier_columns, fourier_labels
from retraining.pipelines.climate_brazil.structural.trend import tau


def test_constant_series_is_refused_by_name():
    with pytest.raises(ConstantSeriesError, match=r"'stuck'.*leave the series out"):
        fit(Series("stuck", np.datetime64("2000-01"), np.full(60, 26.6)))


def test_too_few_observed_months():
    values = np.full(60, np.nan)
    values[:23] = np.arange(23)
    with pytest.raises(TooFewMonthsError, match="'short': 23 observed"):
        fit(Series("short", np.datetime64("2000-01"), values))


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.array([]), np.array([1.0, np.inf])])
def test_values_must_be_one_finite_number_a_month(values):
    with pytest.raises(InvalidSeriesError):
        Series("bad", np.datetime64("2000-01"), values)


def test_one_exception_tree():
    assert all(issubclass(e, StructuralError) for e in (ConstantSeriesError, TooFewMonthsError, InvalidSeriesError))
    assert issubclass(StructuralError, ValueError)


def test_a_series_owns_its_values():
    values = np.arange(30.0)
    series = Series("own", np.datetime64("2000-12-01"), values)
    values[0] = 99
    assert series.values[0] == 0 and not series.values.flags.writeable
    assert series.last_month == np.datetime64("2003-05") and len(series.until("2001-01")) == 2
    with pytest.raises(InvalidSeriesError):
        series.until("2000-11")


def test_the_fourier_columns_have_full_rank_and_no_last_sine():
    columns = fourier_columns(np.arange(24), 12, 6)
    assert columns.shape == (24, 11) and np.linalg.matrix_rank(columns) == 11
    assert fourier_labels(12, 6)[-1] == "cos6" and fourier_labels(12, 5)[-1] == "sin5"
    np.testing.assert_allclose(fourier_columns(np.array([1]), 12, 1)[0], [np.cos(np.pi / 6), np.sin(np.pi / 6)])


def test_the_time_axis_spans_the_training_months():
    np.testing.assert_allclose(tau(np.array([0, 5, 10, 15]), 11), [-1, 0, 1, 2])


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="extra"):
        ModelConfig(kernal="matern32")
