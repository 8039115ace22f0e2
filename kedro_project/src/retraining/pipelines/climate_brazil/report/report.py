"""The report of a retraining for people: a page, and a table for terminals. Pure functions of the scores (`scores`)."""

import math
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.report.inputs import RunFacts
from retraining.pipelines.climate_brazil.report.taught import Taught
from retraining.pipelines.climate_brazil.series.gate import deserves_a_look, limits
from retraining.pipelines.climate_brazil.series.scores import (
    NAIVE_MODELS,
    Scores,
    as_month,
    finished_scores,
    known_score,
    report_row,
)
from retraining.pipelines.climate_brazil.structural import InferenceConfig
from tracked_kedro.reports import TEXT_WIDTH, listed, number, page, percent, plain, signed

TEMPLATE = Path(__file__).with_name("report.html.j2")
SHOW_ALL_UP_TO = 200  # series; beyond, page and terminal show the worst, and the Parquet file has the rest
SHOW_WORST = 100


@dataclass(frozen=True)
class Findings:
    """What a run has found.

    Attributes:
        scores: row of each series (`scores.SCHEMA`).
        pooled: the same over all series (`pooled_scores`).
        run: its months, the origin of its files, and the stations that were set aside.
        inference: when a fit deserves a look.
        watched: series that deserve attention (see ``watch_list``).
        taught: what the series teach each other.
    """

    scores: Scores
    pooled: Mapping[str, float]
    run: RunFacts
    inference: InferenceConfig
    watched: Sequence[Mapping[str, str]] = ()
    taught: Taught | None = None


def report_html(found: Findings, context: Mapping[str, Any], changes: Sequence[str] = ()) -> str:
    """A self-contained page.

    Args:
        found: by the run.
        context: name → value (run ids, versions, …), listed at its end.
        changes: sentences on what changed since the champion was trained.
    """
    finished, pooled, months = finished_scores(found.scores), found.pooled, found.run.months
    rows = [{**report_row(score), "diagnostics": diagnostics(score, found.inference)} for score in _shown(finished)]
    return page(TEMPLATE).render(
        pooled=pooled,
        naive_models=NAIVE_MODELS,
        verdict=verdict(pooled),
        wins={model: _wins(finished, model) for model in NAIVE_MODELS},
        n_finished=len(finished),
        rows=rows,
        failed=_failed(found.scores),
        quarantined=found.run.quarantine.to_dicts(),
        watched=found.watched,
        taught=found.taught,
        changes=changes,
        month=_month_name(months["month"]),
        cutoff=months["cutoff"],
        newest=_month_name(months.get("newest_observation")),
        simulated=found.run.simulated,
        context=context,
        doubt=limits(found.inference) if any("(!)" in row["diagnostics"] for row in rows) else None,
    )


def report_text(found: Findings) -> str:
    """The same as a table for the terminal, at most ``TEXT_WIDTH`` columns, without a final newline."""
    finished, pooled, months = finished_scores(found.scores), found.pooled, found.run.months
    shown = _shown(finished)
    header = ["series", "months", "RMSE °C", "MAE °C", "CRPS °C", "in 80 %", "skill", "diagnostics"]
    rows = [_text_row(score, score["label"], diagnostics(score, found.inference)) for score in shown]
    total = _text_row(pooled, "all series, pooled", f"{pooled['n_scored']:.0f} held-out months")
    widths = [max(_width(row[i]) for row in [header, *rows, total]) for i in range(len(header))]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))

    def line(row: Sequence[str]) -> str:
        words = [_pad(cell, width, right=0 < i < 7) for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(words).rstrip()

    title = f"Retraining for {_month_name(months['month'])}, observations before {months['cutoff']}"
    lines = [f"{title} · simulated sample" if found.run.simulated else title, "", line(header), rule]
    lines += [line(row) for row in rows] or ["no series finished"]
    lines += [rule, line(total), ""]
    notes = ["skill: 1 - CRPS / CRPS of seasonal naive; in 80 %: held-out months inside the 80 % interval"]
    if any(score.get("method_used") == "marginal" for score in shown):
        notes.append(
            f"diagnostics: marginal is exact integration; its weights can be trusted up to a k-hat of "
            f"{found.inference.max_k_hat:g}; ESS: how many independent draws the forecast is worth"
        )
    if len(shown) < len(finished):
        notes.append(f"The {len(shown)} series with the least skill of {len(finished)}; the Parquet report has all.")
    if any("(!)" in row[-1] for row in rows):
        notes.append(limits(found.inference))
    notes += verdict(pooled)
    if found.taught is not None:
        notes.append(found.taught.in_words)
    notes += [f"failed: {s['label']}: {s['reason'] or 'no reason recorded'}" for s in _failed(found.scores)]
    notes += [f"quarantined: {q['label'] or q['file']}: {q['reason']}" for q in found.run.quarantine.to_dicts()]
    notes += [warning(one) for one in found.watched]
    for note in notes:
        lines += textwrap.wrap(plain(note), TEXT_WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def watch_list(overview: pl.DataFrame) -> list[dict[str, str]]:
    """Series that are degraded, stale, carried over or too short for a model: label, what, reason."""
    found = []
    borrowed = (pl.col("status") == "finished") & pl.col("reason").is_not_null()
    for row in overview.filter(pl.col("degraded") | pl.col("stale") | borrowed).iter_rows(named=True):
        words = [row["status"].replace("_", " ")] if row["status"] == "carried_over" else []
        words += ["degraded"] if row["degraded"] else []
        words += ["stale"] if row["stale"] and not words else []
        words = words or ["borrowed"]
        found.append({"label": row["label"], "what": ", ".join(words), "reason": row["reason"] or "—"})
    return found


def doubtful(run: RunFacts, labels: Mapping[str, str]) -> list[dict[str, str]]:
    """Series with doubtful observations, in the form of the watch list."""
    return [
        {"label": labels.get(series, series), "what": "doubtful", "reason": reason}
        for series, reason in run.doubts().items()
    ]


def warning(watched: Mapping[str, str]) -> str:
    """One line on a series of the watch list."""
    return f"{watched['what']}: {watched['label']}: {watched['reason']}"


def verdict(pooled: Mapping[str, float]) -> list[str]:
    """Plain sentences: what the model beats, what it does not, and how honest its intervals are."""
    if "crps" not in pooled:
        return ["No series finished with a score, so there is nothing to compare."]
    where: dict[str, list[str]] = {"better than": [], "not better than": []}
    for model, name in NAIVE_MODELS.items():
        skill = pooled.get(f"skill_vs_{model}")
        if skill is None:
            continue
        gap = f"{abs(skill):.1%}".replace("%", " %")
        where["better than" if skill > 0 else "not better than"].append(
            f"{name} (CRPS {gap} {'lower' if skill > 0 else 'higher'})"
        )
    parts = [f"{side} {listed(names)}" for side, names in where.items() if names]
    months = f"{pooled['n_scored']:.0f} held-out months of {pooled['n_finished']:.0f} series"
    sentences = [f"On {months} the model is {', but '.join(parts)}."] if parts else []
    for model, name in NAIVE_MODELS.items():
        skill, rmse = pooled.get(f"skill_vs_{model}"), pooled.get(f"rmse_{model}")
        if skill is None or rmse is None or f"{pooled['rmse']:.3f}" == f"{rmse:.3f}":
            continue  # what looks the same is no difference
        if (skill > 0) != (pooled["rmse"] < rmse):
            sentences.append(
                f"By RMSE it is the other way round: {pooled['rmse']:.3f} against {rmse:.3f} °C of {name}."
            )
    if "coverage_80" in pooled:
        sentences.append(f"Its 80 % interval held {percent(pooled['coverage_80'])} of them.")
    return sentences


def diagnostics(score: Mapping[str, Any], inference: InferenceConfig) -> str:
    """How the posterior was found and how far to trust it, such as ``marginal, k-hat 0.21, ESS 876``."""
    k_hat, ess, r_hat, divergences = (known_score(score, name) for name in ("k_hat", "ess", "r_hat", "divergences"))
    words = [str(score.get("method_used") or "")]
    words.append("" if k_hat is None else f"k-hat {k_hat:.2f}")
    words.append("" if r_hat is None else f"R-hat {r_hat:.3f}")
    words.append("" if ess is None else f"ESS {ess:.0f}")
    words.append("" if divergences is None else f"{divergences:.0f} div.")
    return ("(!) " if deserves_a_look(score, inference) else "") + (
        ", ".join(word for word in words if word) or "none recorded"
    )


def _failed(scores: Scores) -> list[dict[str, Any]]:
    return [report_row(score) for score in scores if score["status"] != "finished"]


def _shown(finished: Scores) -> Scores:
    if len(finished) <= SHOW_ALL_UP_TO:
        return finished

    def skill_or_last(score: Mapping[str, Any]) -> float:
        skill = known_score(score, "skill_vs_seasonal_naive")
        return math.inf if skill is None else skill

    return sorted(finished, key=skill_or_last)[:SHOW_WORST]


def _wins(finished: Scores, model: str) -> str | None:
    """In how many series the model's CRPS is lower, such as ``8 of 12``."""
    pairs = [(known_score(s, "crps"), known_score(s, f"crps_{model}")) for s in finished]
    known = [(own, naive) for own, naive in pairs if own is not None and naive is not None]
    return f"{sum(own < naive for own, naive in known)} of {len(known)}" if known else None


# --- words and numbers ---


def _month_name(value: date | str | None) -> str:
    if value is None:
        return "—"
    return f"{as_month(value) if isinstance(value, str) else value:%B %Y}"


def _text_row(score: Mapping[str, Any], label: str, remark: str) -> list[str]:
    errors = [number(known_score(score, name)) for name in ("rmse", "mae", "crps")]
    skill = signed(known_score(score, "skill_vs_seasonal_naive"))
    months = number(known_score(score, "n_months"), 0) if "n_months" in score else ""
    return [
        _clip(label, 18),
        months,
        *errors,
        percent(known_score(score, "coverage_80")),
        skill,
        _clip(remark, 40),
    ]


def _width(text: str) -> int:
    """Columns in a terminal: accents that stay separate take none, East Asian wide characters two."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clip(text: str, width: int) -> str:
    text = plain(text)
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _pad(text: str, width: int, right: bool) -> str:
    blank = " " * (width - _width(text))
    return blank + text if right else text + blank
