"""What `mlflow.yml` may say: kedro-mlflow's settings, and two things that this project adds to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro_mlflow.config.kedro_mlflow_config import ExperimentOptions, KedroMlflowConfig, MlflowTrackingOptions
from pydantic import StrictBool, ValidationError

from tracked_kedro.compatibility import client_of
from tracked_kedro.kedro_side.redaction import without_secrets

FILE = "mlflow.yml"
# The path of `sqlite:///path`; an absolute one begins with a slash, a database in memory with a colon.
_RELATIVE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<path>[^/:].*)")


class MlflowConfigError(ValueError):
    """`mlflow.yml` asks for what cannot be; nothing was run."""


class Experiment(ExperimentOptions):
    """The experiment that runs go to; `create: false` where somebody else makes experiments, with their permissions."""

    create: StrictBool = True


class Tracking(MlflowTrackingOptions):
    """kedro-mlflow's settings with our experiment."""

    experiment: Experiment = Experiment()


class MlflowConfig(KedroMlflowConfig):
    """kedro-mlflow's settings, with our tracking, and addresses of databases relative to the project."""

    tracking: Tracking = Tracking()

    @classmethod
    def read(cls, content: Any) -> MlflowConfig:
        """Check the content of `mlflow.yml`.

        Raises:
            MlflowConfigError: a key is unknown, or a value of the wrong kind.
        """
        try:
            return cls.model_validate(dict(content))
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise MlflowConfigError(f"{FILE}: {found}; correct it there") from error

    def setup(self, context: KedroContext) -> None:
        """Point MLflow to the server and to the experiment.

        Raises:
            MlflowConfigError: the experiment does not exist and must not be created.
        """
        # A plain path is made relative to the project by kedro-mlflow itself. What MLFLOW_TRACKING_URI says is the
        # process's own and stays relative to its folder, as everywhere else.
        for name in ("mlflow_tracking_uri", "mlflow_registry_uri"):
            address = getattr(self.server, name)
            if address:
                setattr(self.server, name, in_project(address, Path(context.project_path)))
        super().setup(context)

    def _set_experiment(self) -> None:
        experiment = self.tracking.experiment
        if not experiment.create and client_of(self.server).get_experiment_by_name(experiment.name) is None:
            raise MlflowConfigError(
                f"The experiment {experiment.name!r} does not exist at "
                f"{without_secrets(str(self.server.mlflow_tracking_uri))}, and {FILE}: tracking.experiment.create is "
                f"false. Create it there (mlflow experiments create --experiment-name {experiment.name}), correct "
                "tracking.experiment.name, or set create to true; nothing was run"
            )
        super()._set_experiment()


class ServerConfig(MlflowConfig):
    """The same for a process that reads runs and opens none: its `setup` leaves experiments alone."""

    def _set_experiment(self) -> None:
        pass


def in_project(address: str, project: Path) -> str:
    """The address of a SQLite database, a relative one as one in the project; any other address as it is."""
    relative = _RELATIVE.fullmatch(address)
    return f"{relative['scheme']}{(project / relative['path']).absolute()}" if relative else address
