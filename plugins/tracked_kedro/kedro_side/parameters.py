"""What the typed parameters of pipelines are made of. Pure: rules of promotion are such parameters, too."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
)

from tracked_kedro.month import first_of_month


class ParameterError(ValueError):
    """A parameter is unknown, of the wrong type or has an impossible value."""


class Parameters(BaseModel):
    """Base of all parameter models: immutable, and no key passes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _written_as_a_date(value: object) -> object:
    if not isinstance(value, str | date | None):
        raise ValueError("write it as YYYY-MM-01")
    return value


#: A month, by its first day.
FirstOfMonth = Annotated[date, BeforeValidator(_written_as_a_date), AfterValidator(first_of_month)]
