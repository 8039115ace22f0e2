"""What a hosted project says of itself, as its process has described it (`guest.describe`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict

from tracked_kedro.guest.handover import base
from tracked_kedro.hosting.child import Child
from tracked_kedro.hosting.project import HostedProject

# Describing needs no tracking server, and must not wait for one.
_NO_SERVER = "sqlite:///:memory:"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(_Model):
    """A node of the pipeline."""

    name: str
    doc: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tags: tuple[str, ...]
    namespace: str | None


class Dataset(_Model):
    """A dataset of the pipeline, not a parameter.

    Attributes:
        type: as the catalog names it.
        memory: whether it ends with the process that made it.
        known: whether the catalog has an entry or a pattern for it.
        paths: relative ones in its entry.
        reads: the output whose file it is under another name.
        elsewhere: absolute paths and addresses in its entry.
        fault: why it cannot be made.
    """

    type: str
    memory: bool
    known: bool
    paths: tuple[str, ...]
    reads: str | None
    elsewhere: tuple[str, ...]
    fault: str | None


class Description(_Model):
    """A project and one of its pipelines.

    Attributes:
        package: its name.
        kedro: version.
        python: version.
        pipelines: names of all.
        kedro_mlflow: whether it has an mlflow.yml of its own.
        parameters: Kedro's, nested.
        nodes: of the pipeline, in an order in which they can run; empty where there is no such pipeline.
        datasets: of the pipeline, by name.
    """

    package: str
    kedro: str
    python: str
    pipelines: tuple[str, ...]
    kedro_mlflow: bool
    parameters: dict[str, Any]
    nodes: tuple[Node, ...]
    datasets: Mapping[str, Dataset]

    def maker(self, dataset: str) -> Node | None:
        """The node that makes a dataset, or the file that it reads; None of a free input and of parameters."""
        about = self.datasets.get(dataset)
        return self._makers.get(base(about.reads if about and about.reads else dataset))

    @cached_property
    def _makers(self) -> dict[str, Node]:
        return {base(output): node for node in self.nodes for output in node.outputs}


def describe(project: HostedProject) -> Description:
    """Ask a project's process what it consists of; takes as long as importing the project does.

    Raises:
        PermanentError: it cannot be hosted, with the remedy.
        HostedProjectError: its own code failed.
    """
    return Description.model_validate(Child(project, _NO_SERVER, is_heard=False).call("describe"))
