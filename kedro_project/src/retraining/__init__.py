"""Kedro project: pipelines that are retrained every month, a package each."""

from pathlib import Path

__version__ = "0.2.0"

# Versions that were registered before 0.2.0 import from here (`retraining.structural`) what their pipeline keeps for
# them in a folder of this name.
_OLD = sorted(Path(__file__).parent.glob("pipelines/*/before_0_2_0"))
__path__ += [str(folder) for folder in _OLD]
