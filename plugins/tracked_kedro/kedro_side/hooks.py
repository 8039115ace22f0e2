"""What the entry points of this package register with Kedro (`kedro.hooks`)."""

from __future__ import annotations

from tracked_kedro.kedro_side.parameters_hook import ParametersHook
from tracked_kedro.kedro_side.tracking_hook import TrackingHook

PARAMETERS_HOOK = ParametersHook()
TRACKING_HOOK = TrackingHook()
