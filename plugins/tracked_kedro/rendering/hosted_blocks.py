"""Typed form of the block of a hosted project: what any DAG's block may say, and what takes a project as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tracked_kedro.hosting.project import PROJECT, HostedProject
from tracked_kedro.promotion.rules import Promotion
from tracked_kedro.rendering.blocks import Block

_Words = tuple[str, ...]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackedModel(_Model):
    """The model that is registered.

    Attributes:
        dataset: the dataset that holds it.
        name: the registered model.
        allow_pickle: whether it may be stored as a pickle, where it can be stored as nothing else.
    """

    dataset: str
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    allow_pickle: bool = False


class Track(_Model):
    """What goes to MLflow besides parameters, and what nodes log themselves.

    Attributes:
        metrics: datasets of numbers.
        artifacts: datasets that a person looks at.
        model: the dataset that holds the model.
    """

    metrics: _Words = ()
    artifacts: _Words = ()
    model: TrackedModel | None = None

    def datasets(self) -> dict[str, str]:
        """Key in the block by dataset."""
        named = dict.fromkeys(self.metrics, "metrics") | dict.fromkeys(self.artifacts, "artifacts")
        return {**named, **({self.model.dataset: "model.dataset"} if self.model else {})}


class HostedPromotion(Promotion):
    """Rules of promotion, which a project of these rails has among its parameters.

    Attributes:
        answer_within_hours: how long a person may take where one is asked; no answer means no.
    """

    answer_within_hours: Annotated[float, Field(gt=0)] = 72


class HostedBlock(Block):
    """One DAG of a hosted project.

    Attributes:
        project: the folder of the Kedro project, seen from this deployment's.
        pipeline: one of its registered pipelines.
        environment: "shared", this deployment's Python, or "own", built by `make environments`.
        env: Kedro's environment; without it the deployment's, where the project has it.
        data: "run", a folder for each DAG run, or "shared", the catalog's own paths.
        variables: environment variables that its process gets besides.
        image: of the pods of its tasks, where KubernetesExecutor runs them.
    """

    project: str
    pipeline: str = "__default__"
    environment: Literal["shared", "own"] = "shared"
    env: str | None = None
    data: Literal["run", "shared"] = "run"
    variables: Annotated[_Words, Field(strict=False)] = ()
    image: Annotated[str, Field(pattern=r"^[\w.\-/:@]+$")] | None = None
    track: Track = Track()
    group_by: Literal["node", "namespace", "memory"] | None = None  # type: ignore[assignment]
    promotion: HostedPromotion | None = None
    registered_model: None = None

    @field_validator("mapped")
    @classmethod
    def _nothing_is_mapped(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if value:
            raise ValueError("a hosted project's namespaces are not mapped; leave it out")
        return value

    @field_validator("project")
    @classmethod
    def _holds_no_secret(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("name a folder; `make add-project FROM=<address>` brings the project here and writes it")
        return value

    def hosted(self, name: str) -> HostedProject:
        """The project as the tasks of the DAG hold it."""
        return HostedProject(
            name,
            project=self.project,
            pipeline=self.pipeline,
            environment=self.environment,
            env=self.env,
            data=self.data,
            variables=self.variables,
            track=self.track.model_dump(mode="json", exclude_defaults=True),
        )


def hosted_project(name: str, block: Mapping[str, Any]) -> HostedProject:
    """The project of a block that nobody has checked: what it says of where the project lies and what runs it."""
    known = ("pipeline", "environment", "env", "data")
    return HostedProject(name, project=str(block[PROJECT]), **{key: block[key] for key in known if block.get(key)})


def defaults(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """What a hosted project's block need not say, and what it does not take from the defaults of all blocks.

    Args:
        name: of the block.
        own: what it says itself.
    """
    about = f"{own.get('pipeline', '__default__')} of the Kedro project {own.get(PROJECT)}"
    return {
        "description": f"Pipeline {about}",
        "doc": f"### {name}\n\nRuns the pipeline {about}, as it is.\n",
        "group_by": None,
        "max_age_months": None,
        "registered_model": None,
        **own,
    }
