"""How the factor model is made; shared by the pipeline's parameters and by whoever calls `train` in a notebook."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class FactorisationConfig(BaseModel):
    """Matrix factorisation with biases. Chosen by `make bench BENCH=recommender` (docs/benchmarks.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: Annotated[int, Field(strict=True, ge=1, le=512)] = 32
    epochs: Annotated[int, Field(strict=True, ge=1, le=1000)] = 80
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.01
    regularisation: Annotated[float, Field(ge=0, le=10)] = 0.05
