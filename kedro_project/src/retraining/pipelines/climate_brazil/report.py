"""The report of a retraining: pooled scores, a frame for Parquet, a page for people, a table for terminals.

Pure functions of the per-series scores (one dict per series, as ``train`` and ``evaluate`` made them). Errors
and CRPS are in °C; coverage is a share of held-out months, 0 to 1; skill is 1 - CRPS / CRPS of a naive model,
so that 0 is no better and 1 is perfect. A score that is missing, None or not finite is unknown, never 0.
"""

import math
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

Scores = Sequence[Mapping[str, Any]]

NAIVE_MODELS = {
    "seasonal_naive": "seasonal naive",
    "climatology": "climatology",
    "climatology_trend": "climatology + trend",
}
SCHEMA: dict[str, Any] = {
    "series": pl.String,
    "label": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "n_months": pl.Int64,
    "first_month": pl.Date,
    "last_month": pl.Date,
    "n_scored": pl.Int64,
    "rmse": pl.Float64,
    "mae": pl.Float64,
    "crps": pl.Float64,
    "coverage_80": pl.Float64,
    "coverage_95": pl.Float64,
    "skill_vs_seasonal_naive": pl.Float64,
    **{f"{score}_{model}": pl.Float64 for model in NAIVE_MODELS for score in ("rmse", "mae", "crps")},
    "method_used": pl.String,
    "k_hat": pl.Float64,
    "ess": pl.Float64,
    "r_hat": pl.Float64,
    "divergences": pl.Int64,
    "seconds": pl.Float64,
}
SHOW_ALL_UP_TO = 200  # series; beyond, page and terminal show the worst, and the Parquet file has the rest
SHOW_WORST = 100
TEXT_WIDTH = 110
# Where a fit deserves a look: Vehtari et al. (2021, 2024) for R-hat and k-hat, the inference's gate for ESS.
MAX_K_HAT, MIN_ESS, MAX_R_HAT = 0.7, 400, 1.01
DOUBT = f"(!) k-hat over {MAX_K_HAT}, ESS below {MIN_ESS}, R-hat over {MAX_R_HAT} or divergences: look at it"


def pooled_scores(scores: Scores) -> dict[str, float]:
    """Scores over all held-out months of the finished series together, each month weighing the same.

    With n the months scored of a series: rmse = √(Σ n·rmse² / Σ n); mae, crps and the coverages are
    Σ n·score / Σ n; those of the naive models (``crps_climatology`` and so on) likewise. ``skill_vs_<naive>``
    is, as per series, 1 - crps / crps of the naive model, both pooled over the series that have both. A score
    that no finished series has is left out; n_series, n_finished, n_failed and n_scored are always there.
    """
    finished = _finished(scores)
    pooled = {
        "n_series": float(len(scores)),
        "n_finished": float(len(finished)),
        "n_failed": float(len(scores) - len(finished)),
        "n_scored": float(sum(_known(score, "n_scored") or 0 for score in finished)),
    }
    own = ["rmse", "mae", "crps", "coverage_80", "coverage_95"]
    for name in own + [f"{score}_{model}" for model in NAIVE_MODELS for score in ("rmse", "mae", "crps")]:
        value = _pool(finished, name)
        if value is not None:
            pooled[name] = value
    for model in NAIVE_MODELS:
        both = [s for s in finished if None not in (_known(s, "crps"), _known(s, f"crps_{model}"))]
        crps, reference = _pool(both, "crps"), _pool(both, f"crps_{model}")
        if crps is not None and reference:
            pooled[f"skill_vs_{model}"] = 1 - crps / reference
    return pooled


def report_frame(scores: Scores) -> pl.DataFrame:
    """One row per series, finished or failed, always with the columns and types of ``SCHEMA``."""
    return pl.DataFrame([_row(score) for score in scores], schema=SCHEMA)


def report_html(
    scores: Scores,
    pooled: Mapping[str, float],
    quarantine: pl.DataFrame,
    months: Mapping[str, Any],
    simulated: bool,
    context: Mapping[str, Any],
) -> str:
    """A self-contained page; ``context`` (name → value: run ids, versions, …) is listed at its end.

    ``quarantine`` has the columns series, label, file and reason; ``months`` has cutoff ("2019-11-01"), month
    ("2019-10") and newest_observation.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # for every template: the usual choice by suffix does not know .j2
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": _percent, "signed": _signed}
    finished = _finished(scores)
    rows = [{**_row(score), "diagnostics": diagnostics(score)} for score in _shown(finished)]
    return environment.get_template("report.html.j2").render(
        pooled=pooled,
        naive_models=NAIVE_MODELS,
        verdict=verdict(pooled),
        wins={model: _wins(finished, model) for model in NAIVE_MODELS},
        n_finished=len(finished),
        rows=rows,
        failed=_failed(scores),
        quarantined=quarantine.to_dicts(),
        month=_month_name(months["month"]),
        cutoff=months["cutoff"],
        newest=_month_name(months.get("newest_observation")),
        simulated=simulated,
        context=context,
        doubt=DOUBT if any("(!)" in row["diagnostics"] for row in rows) else None,
    )


def report_text(
    scores: Scores,
    pooled: Mapping[str, float],
    quarantine: pl.DataFrame,
    months: Mapping[str, Any],
    simulated: bool,
) -> str:
    """The same as a table for the terminal, at most ``TEXT_WIDTH`` columns, without a final newline."""
    finished = _finished(scores)
    shown = _shown(finished)
    header = ["series", "months", "RMSE °C", "MAE °C", "CRPS °C", "in 80 %", "skill", "diagnostics"]
    rows = [_text_row(score, score["label"], diagnostics(score)) for score in shown]
    total = _text_row(pooled, "all series, pooled", f"{pooled['n_scored']:.0f} held-out months")
    widths = [max(_width(row[i]) for row in [header, *rows, total]) for i in range(len(header))]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))

    def line(row: Sequence[str]) -> str:
        words = [_pad(cell, width, right=0 < i < 7) for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(words).rstrip()

    title = f"Retraining for {_month_name(months['month'])}, observations before {months['cutoff']}"
    lines = [f"{title} · simulated sample" if simulated else title, "", line(header), rule]
    lines += [line(row) for row in rows] or ["no series finished"]
    lines += [rule, line(total), ""]
    notes = ["skill: 1 - CRPS / CRPS of seasonal naive; in 80 %: held-out months inside the 80 % interval"]
    if len(shown) < len(finished):
        notes.append(f"The {len(shown)} series with the least skill of {len(finished)}; the Parquet report has all.")
    if any("(!)" in row[-1] for row in rows):
        notes.append(DOUBT)
    notes += verdict(pooled)
    notes += [f"failed: {s['label']}: {s['reason'] or 'no reason recorded'}" for s in _failed(scores)]
    notes += [f"quarantined: {q['label'] or q['file']}: {q['reason']}" for q in quarantine.to_dicts()]
    for note in notes:
        lines += textwrap.wrap(_plain(note), TEXT_WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


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
    parts = [f"{side} {_listed(names)}" for side, names in where.items() if names]
    months = f"{pooled['n_scored']:.0f} held-out months of {pooled['n_finished']:.0f} series"
    sentences = [f"On {months} the model is {', but '.join(parts)}."] if parts else []
    for model, name in NAIVE_MODELS.items():
        skill, rmse = pooled.get(f"skill_vs_{model}"), pooled.get(f"rmse_{model}")
        if skill is not None and rmse is not None and (skill > 0) != (pooled["rmse"] < rmse):
            sentences.append(
                f"By RMSE it is the other way round: {pooled['rmse']:.3f} against {rmse:.3f} °C of {name}."
            )
    if "coverage_80" in pooled:
        sentences.append(f"Its 80 % interval held {_percent(pooled['coverage_80'])} of them.")
    return sentences


def diagnostics(score: Mapping[str, Any]) -> str:
    """How the posterior was found and how far to trust it, such as ``marginal, k-hat 0.21, ESS 876``."""
    k_hat, ess, r_hat, divergences = (_known(score, name) for name in ("k_hat", "ess", "r_hat", "divergences"))
    words = [str(score.get("method_used") or "")]
    words.append("" if k_hat is None else f"k-hat {k_hat:.2f}")
    words.append("" if r_hat is None else f"R-hat {r_hat:.3f}")
    words.append("" if ess is None else f"ESS {ess:.0f}")
    words.append("" if divergences is None else f"{divergences:.0f} div.")
    doubtful = (k_hat or 0) > MAX_K_HAT or (r_hat or 0) > MAX_R_HAT or (divergences or 0) > 0
    if ess is not None and ess < MIN_ESS:
        doubtful = True
    return ("(!) " if doubtful else "") + (", ".join(word for word in words if word) or "none recorded")


def _finished(scores: Scores) -> list[Mapping[str, Any]]:
    return [score for score in scores if score["status"] == "finished"]


def _failed(scores: Scores) -> list[dict[str, Any]]:
    return [_row(score) for score in scores if score["status"] != "finished"]


def _shown(finished: Scores) -> Scores:
    if len(finished) <= SHOW_ALL_UP_TO:
        return finished

    def skill_or_last(score: Mapping[str, Any]) -> float:
        skill = _known(score, "skill_vs_seasonal_naive")
        return math.inf if skill is None else skill

    return sorted(finished, key=skill_or_last)[:SHOW_WORST]


def _row(score: Mapping[str, Any]) -> dict[str, Any]:
    """The score with exactly the columns of ``SCHEMA``."""
    row: dict[str, Any] = {}
    for column, kind in SCHEMA.items():
        value = score.get(column)
        if kind in (pl.Float64, pl.Int64):
            value = _known(score, column)
            row[column] = int(value) if value is not None and kind == pl.Int64 else value
        elif kind == pl.Date and isinstance(value, str):
            row[column] = _month(value)
        else:
            row[column] = value
    return row


def _known(score: Mapping[str, Any], name: str) -> float | None:
    value = score.get(name)
    return float(value) if value is not None and math.isfinite(value) else None


def _pool(scores: Scores, name: str) -> float | None:
    """The mean over held-out months; for an RMSE the root of the mean of squares."""
    known = [(int(_known(s, "n_scored") or 0), value) for s in scores if (value := _known(s, name)) is not None]
    n = sum(weight for weight, _ in known)
    if n == 0:
        return None
    power = 2 if name.startswith("rmse") else 1
    return (sum(weight * value**power for weight, value in known) / n) ** (1 / power)


def _wins(finished: Scores, model: str) -> str | None:
    """In how many series the model's CRPS is lower, such as ``8 of 12``."""
    pairs = [(_known(s, "crps"), _known(s, f"crps_{model}")) for s in finished]
    known = [(own, naive) for own, naive in pairs if own is not None and naive is not None]
    return f"{sum(own < naive for own, naive in known)} of {len(known)}" if known else None


# --- words and numbers ---


def _number(value: float | None, digits: int = 3) -> str:
    return "—" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.0f} %"


def _signed(value: float | None) -> str:
    return "—" if value is None else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01" if len(text) == 7 else text[:10])


def _month_name(value: date | str | None) -> str:
    if value is None:
        return "—"
    return f"{_month(value) if isinstance(value, str) else value:%B %Y}"


def _text_row(score: Mapping[str, Any], label: str, remark: str) -> list[str]:
    errors = [_number(_known(score, name)) for name in ("rmse", "mae", "crps")]
    skill = _signed(_known(score, "skill_vs_seasonal_naive"))
    months = _number(_known(score, "n_months"), 0) if "n_months" in score else ""
    return [
        _clip(label, 18),
        months,
        *errors,
        _percent(_known(score, "coverage_80")),
        skill,
        _clip(remark, 40),
    ]


def _plain(text: str) -> str:
    """Without control characters: a reason may quote a file's cell, and terminals obey escape sequences."""
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in unicodedata.normalize("NFC", text))


def _width(text: str) -> int:
    """Columns in a terminal: accents that stay separate take none, East Asian wide characters two."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clip(text: str, width: int) -> str:
    text = _plain(text)
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _pad(text: str, width: int, right: bool) -> str:
    blank = " " * (width - _width(text))
    return blank + text if right else text + blank
