"""Kedro project: pipelines that are retrained every month, a package each."""

from pathlib import Path

__version__ = "0.2.0"

# Versions that were registered before 0.2.0 import their pipeline's packages from here (`retraining.structural`): each
# pipeline's folder is searched, too.
__path__ += [str(folder) for folder in sorted((Path(__file__).parent / "pipelines").iterdir()) if folder.is_dir()]
