"""What the retry policy makes of this pipeline's errors."""

from retraining.pipelines.climate_brazil.errors import TooFewSeriesError
from retraining.pipelines.climate_brazil.series.isolation import SeriesFailedError
from tracked_kedro.errors import PermanentError, classified


def test_too_few_series_fail_again():
    assert isinstance(classified(TooFewSeriesError("0 usable series remain")), PermanentError)


def test_a_series_that_failed_may_work_at_a_second_try():
    error = SeriesFailedError("1 of 3 series failed: rio (train: ValueError: constant)")
    assert classified(error) is error
