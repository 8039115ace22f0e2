"""What can go wrong with one series. Every message names the series and the remedy."""

from __future__ import annotations

from pydantic import ValidationError


class StructuralError(ValueError):
    """Base of all errors of this package."""


class ConstantSeriesError(StructuralError):
    """All observed months are equal: there is no scale to standardise by."""


class TooFewMonthsError(StructuralError):
    """Not enough observed months to learn a seasonal cycle from."""


class InvalidSeriesError(StructuralError):
    """The values are not one finite-or-missing number a month."""


class InvalidHorizonError(StructuralError):
    """A forecast was asked for no month, or for more than fifty years."""


class InferenceError(StructuralError):
    """No method of the configured chain passed its own diagnostics."""


class SamplingTimeoutError(InferenceError):
    """NUTS as a fallback took longer than it may."""


class FleetFileError(StructuralError):
    """A text is not what this version can read of a fleet."""

    @classmethod
    def of(cls, error: ValidationError, problem: str, remedy: str) -> FleetFileError:
        """With the places that are wrong, and nothing of what stands there."""
        places = ", ".join(".".join(map(str, one["loc"])) or "the text" for one in error.errors()[:3])
        return cls(f"{problem} ({places}); {remedy}")


class PosteriorFileError(StructuralError):
    """A file is not a posterior this version can read."""
