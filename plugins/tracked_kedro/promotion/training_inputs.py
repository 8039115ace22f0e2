"""What a version learns from, known before it is trained: by it news is told from the same month again. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class TrainingInputs(BaseModel):
    """Data, code and configuration of a version.

    A node that makes the training data makes it too, as the dataset `<pipeline>_training_inputs`; the evidence takes
    it from there, so that what is decided before training and after it is one thing.

    Attributes:
        data_digest: hash of the training data.
        code: version of the code, see `tracked_kedro.kedro_side.code_version`; None where that is no question.
        settings: configuration that decides the results, flat.

    >>> before = TrainingInputs(data_digest="september", code="abc")
    >>> TrainingInputs(data_digest="october", code="abc").changed_since(before)
    ('data',)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_digest: str
    code: str | None = None
    settings: dict[str, str] = {}

    def changed_since(self, before: TrainingInputs) -> tuple[str, ...]:
        """Which of data, code and configuration are others than `before`; nothing where there is nothing to learn."""
        pairs = {
            "data": (self.data_digest, before.data_digest),
            "code": (self.code, before.code),
            "configuration": (self.settings, before.settings),
        }
        return tuple(name for name, (now, then) in pairs.items() if now != then)

    def in_evidence(self) -> dict[str, Any]:
        """The arguments of `Evidence` that say it."""
        tags = {} if self.code is None else {"code": self.code}
        return {"data_digest": self.data_digest, "settings": self.settings, "tags": tags}
