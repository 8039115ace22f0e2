"""Scores of challenger, champion and baselines, side by side. Pure Python."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tracked_kedro.promotion.evidence import Evidence
from tracked_kedro.promotion.rules import Rule


class ScoreRow(BaseModel):
    """One metric.

    Attributes:
        metric: its name; where challenger and champion are scored on shared cases, with their number.
        challenger: the challenger's score, None where it has none; `champion` likewise.
        baselines: score by name of the baseline.
    """

    model_config = ConfigDict(frozen=True)

    metric: str
    challenger: float | None = None
    champion: float | None = None
    baselines: dict[str, float] = {}


def side_by_side(challenger: Evidence, champion: Evidence | None, rules: Sequence[Rule]) -> tuple[ScoreRow, ...]:
    """Scores on shared cases first, then every metric that a rule names or a baseline has too.

    Baselines are those that rules refer to: the metric `rmse` of the baseline `popularity` has the name
    `rmse_popularity`.
    """
    before = champion.metrics if champion else {}
    rows = [
        ScoreRow(metric=f"{name}, {one.cases} shared {one.unit}", challenger=one.challenger, champion=one.champion)
        for name, one in challenger.shared.items()
    ]
    references = [(rule.metric, str(rule.reference)) for rule in rules]
    names = [text.removeprefix(f"{metric}_") for metric, text in references if text.startswith(f"{metric}_")]
    ruled = {rule.metric for rule in rules}
    for metric, value in challenger.metrics.items():
        of = {name: f"{metric}_{name}" for name in dict.fromkeys(names)}
        baselines = {name: challenger.metrics[key] for name, key in of.items() if key in challenger.metrics}
        if baselines or metric in ruled:
            rows.append(ScoreRow(metric=metric, challenger=value, champion=before.get(metric), baselines=baselines))
    return tuple(rows)


def as_table(rows: Sequence[ScoreRow]) -> list[str]:
    """Lines of a Markdown table; the column of the champion is there even where there is none yet."""
    baselines = list(dict.fromkeys(name for row in rows for name in row.baselines))
    header = ["", "challenger", "champion", *(name.replace("_", " ") for name in baselines)]
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for row in rows:
        values = [row.challenger, row.champion, *(row.baselines.get(name) for name in baselines)]
        lines.append("| " + " | ".join([row.metric, *map(number, values)]) + " |")
    return lines


def number(value: float | None) -> str:
    """A score to four digits; nothing where there is none."""
    return "" if value is None else f"{value:.4g}"
