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
        title: what Airflow's pages call the task; without it the beginning of its node's docstring, or its name.
        trigger_rule: Airflow's: what must have become of the tasks before it.
        retries: further tries after one that failed.
        retry_delay_seconds: between two tries.
        timeout_minutes: of one try.
        pool: Airflow's pool that it takes slots of; it must exist.
        pool_slots: how many of them.
        priority_weight: a higher one is begun first.
        queue: of Celery workers.
        executor: used where that executor is configured; elsewhere, as on a laptop, the default one is.
        pod_override: the Kubernetes executor's pod, in Kubernetes' own words (camelCase); resources go here.
    """

    title: Annotated[str, Field(min_length=1, max_length=60)] | None = None
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
        size: the DAG parameter with the number of keys per task; where its value is null, what suits is chosen.
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


class RegisteredModel(_Model):
    """The model that a pipeline registers which ends with the nodes register, decide and promote.

    Attributes:
        name: of the registered model; `promote` emits the asset event `models/<name>`.
        answer_within_hours: how long a person may take where one is asked; no answer means no.
        when_nothing_new: what becomes of a scheduled run whose data, code and configuration are the champion's: `skip`
            ends it before it trains, `retrain` does not. Of a pipeline that makes `<pipeline>_training_inputs`; runs
            that a person started or cleared always train.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    answer_within_hours: Annotated[float, Field(gt=0)] = 72
    when_nothing_new: Literal["skip", "retrain"] = "skip"


class ParamSpec(_Model):
    """A field of the form with which a DAG is triggered: words of JSON schema, and three more.

    Attributes:
        title: its name in the form.
        description: a sentence under it.
        enum: the values that it may have.
        format: of a text: `date`, `date-time`, `email`, …
        pattern: regular expression that a text must match; where none is given, one that refuses expressions.
        minimum: smallest value.
        maximum: largest value.
        exclusiveMinimum: the value must be above it.
        exclusiveMaximum: the value must be below it.
        multipleOf: the value must be a multiple of it.
        minLength: of a text.
        maxLength: of a text.
        items: JSON schema of a list's entries.
        minItems: of a list.
        maxItems: of a list.
        uniqueItems: whether a list may hold a value once only.
        examples: values that the form proposes.
        values_display: words that the form shows for values.
        section: heading under which the form shows it.
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
    """One DAG: its pipeline's block, joined with `default`.

    Attributes:
        description: one sentence, for Airflow's list and the MLflow experiment.
        doc: Markdown for the DAG's page.
        schedule: cron expression; none: people start it.
        owner: shown by Airflow.
        start_date: YYYY-MM-DD, first day that a scheduled run may be about.
        timezone: of schedule and start, such as America/Sao_Paulo.
        catchup: whether intervals that were missed are run; a person's run may then wait for one of them, which
            `airflow backfill create` spares it: backfills have a limit of their own.
        max_active_runs: DAG runs at once; none: one more than the schedule alone can have going, 16 at most, so that a
            person's need not wait for it.
        dagrun_timeout_hours: a DAG run that takes longer fails; none: its tasks' time-outs with all retries, and the
            time to answer. Less than one try of each takes is refused.
        max_age_months: a scheduled run whose newest input is older than its month by more fails at once; none: never.
            Only of a pipeline that has a part `cutoff`.
        retries: further tries of a task that failed for a reason that another try may mend.
        retry_delay_seconds: between two tries.
        timeout_minutes: of one try of a task.
        deadline_hours: an alert is sent where a run is not done so long after it was queued; none: never.
        tags: of Airflow's list of DAGs.
        group_by: one task per `node`, per top-level `namespace` (nodes without one are tasks of their own), or, by
            `memory`, per group of nodes that hand each other datasets which no catalog entry stores.
        params: the form with which the DAG is triggered, field by field.
        kedro_parameters: from a field of the form to the Kedro parameter that it sets.
        make: from a variable of make to the field that it sets (`make retrain CUTOFF=2024-01-01`).
        mapped: from a namespace to what it is mapped over: one task per so many keys.
        train: tasks that train, besides mapped namespaces. They stand in the box "Train" of the DAG's graph, what
            waits for them in "Decide", all else in "Prepare"; where no task is known to train there are no boxes.
        tagged: from a Kedro tag to settings of the tasks whose nodes have it; of two the later one wins.
        registered_model: of a pipeline that ends with register, decide and promote.
        warnings: from a task to the dataset among its outputs that lists warnings, one sentence each; they are alerts.
        tasks: from a task to settings that win over those of its tags.
    """

    description: str
    doc: str
    schedule: str | None = None
    owner: str
    start_date: Annotated[str, AfterValidator(_is_a_date)]
    timezone: Annotated[str, AfterValidator(_is_a_timezone)]
    catchup: bool
    max_active_runs: Positive | None = None
    dagrun_timeout_hours: Annotated[float, Field(gt=0)] | None = None
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
    train: tuple[str, ...] = ()
    tagged: dict[str, TaskSettings]
    registered_model: RegisteredModel | None
    warnings: dict[str, str]
    tasks: dict[str, TaskSettings]
