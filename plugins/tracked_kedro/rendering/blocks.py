"""Typed form of `conf/base/airflow.yml`: what a DAG's block may say. No key passes unread."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

FILE = "airflow.yml"
Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
TriggerRule = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "always",
]


def _is_a_date(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("write it as YYYY-MM-DD") from None
    return value


def _is_a_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("no such time zone; write it like America/Sao_Paulo or UTC") from None
    return value


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskSettings(_Model):
    """Settings of a task that differ from the DAG's.

    Attributes:
        executor: used where that executor is configured; elsewhere, as on a laptop, the default one is.
        pod_override: the Kubernetes executor's pod, in Kubernetes' own words (camelCase); resources go here.
    """

    trigger_rule: TriggerRule | None = None
    retries: Count | None = None
    retry_delay_seconds: Count | None = None
    timeout_minutes: Annotated[float, Field(gt=0)] | None = None
    pool: str | None = None
    pool_slots: Positive | None = None
    priority_weight: Annotated[int, Field(strict=True)] | None = None
    queue: str | None = None
    executor: str | None = None
    pod_override: dict[str, Any] | None = None


class Mapped(_Model):
    """A namespace that is mapped over keys.

    Attributes:
        keys: the dataset that lists the keys.
        size: the DAG parameter with the number of keys per task.
    """

    keys: str
    size: str


class MakeVariable(_Model):
    """A variable of make.

    Attributes:
        parameter: the DAG parameter that it sets.
        path: whether it is a path; a relative one starts at the folder that make was called in.
    """

    parameter: str
    path: bool = False


class PromotionSettings(_Model):
    """For a pipeline that ends with the nodes register, decide and promote.

    Attributes:
        model: the registered model; `promote` emits the asset event `models/<model>`.
        answer_within_hours: how long a person may take where one is asked; no answer means no.
    """

    model: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    answer_within_hours: Annotated[float, Field(gt=0)] = 72


class ParamSpec(_Model):
    """A field of the form with which a DAG is triggered: words of JSON schema, and three more.

    Attributes:
        default: the default, or let kedro_parameters point to a field of the pipeline's PARAMETERS, which has one.
        type: the JSON type, or let kedro_parameters point to a field of the pipeline's PARAMETERS, which has one.
        choices: id: {label}, to choose from.
        when_scheduled: the value in a run that the schedule started, where it differs from the default: for what such
            a run does besides, for `make reproduce` leaves that out.
    """

    default: Any
    type: str | tuple[str, ...]
    title: str
    description: str
    choices: dict[str, dict[str, Any]] | None = None
    enum: tuple[Any, ...] | None = None
    format: str | None = None
    pattern: str | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusiveMinimum: int | float | None = None
    exclusiveMaximum: int | float | None = None
    multipleOf: int | float | None = None
    minLength: Count | None = None
    maxLength: Count | None = None
    items: dict[str, Any] | None = None
    minItems: Count | None = None
    maxItems: Count | None = None
    uniqueItems: bool | None = None
    examples: tuple[Any, ...] | None = None
    values_display: dict[str, str] | None = None
    section: str | None = None
    when_scheduled: Any = None

    def schema_of_values(self) -> dict[str, Any]:
        """JSON schema of the values."""
        schema = self.model_dump(mode="json", exclude_none=True, exclude={"default", "choices", "when_scheduled"})
        if self.choices is not None:
            schema["items"] = {"type": "string", "enum": list(self.choices)}
        return schema


class Block(_Model):
    """One DAG: its pipeline's block, joined with `default`."""

    description: str
    doc: str
    schedule: str | None = None
    owner: str
    start_date: Annotated[str, AfterValidator(_is_a_date)]
    timezone: Annotated[str, AfterValidator(_is_a_timezone)]
    catchup: bool
    max_active_runs: Positive
    max_age_months: Count | None = None
    retries: Count
    retry_delay_seconds: Count
    timeout_minutes: Annotated[float, Field(gt=0)]
    deadline_hours: Annotated[float, Field(gt=0)] | None
    tags: tuple[str, ...]
    group_by: Literal["node", "namespace", "memory"]
    params: dict[str, ParamSpec]
    kedro_parameters: dict[str, str]
    make: dict[str, str | MakeVariable]
    mapped: dict[str, Mapped]
    tagged: dict[str, TaskSettings]
    promotion: PromotionSettings | None
    warnings: dict[str, str]
    tasks: dict[str, TaskSettings]
