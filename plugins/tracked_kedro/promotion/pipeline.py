"""Wiring of register → decide → promote for any pipeline; `catalog` has the datasets."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from tracked_kedro.promotion import nodes


def promotion(name: str) -> Pipeline:
    """The last nodes of the pipeline `name`, which has to make two datasets.

    `<name>_model_files`: content by file name, what the served model (its `served_model.py`) reads.
    `<name>_evidence`: an `Evidence` as plain data. Its parameters hold a block `<name>.promotion`.
    It may make a third one, early: `<name>_training_inputs`, a `TrainingInputs` as plain data, which the evidence
    repeats. A scheduled run in which the champion's are the same then ends there.
    """
    return pipeline(
        [
            node(nodes.register, [f"{name}_model_files", f"{name}_evidence"], f"{name}_challenger", name="register"),
            node(
                nodes.decide,
                [f"{name}_challenger", f"{name}_evidence", f"{name}_champion", f"params:{name}.promotion"],
                [f"{name}_decision", f"{name}_decision_text", f"{name}_decision_tags"],
                name="decide",
            ),
            node(
                nodes.promote,
                [f"{name}_decision", f"params:{name}.promotion", f"{name}_approval"],
                f"{name}_promotion",
                name="promote",
            ),
        ]
    )
