"""The report of a retraining for people: a page, and a table for terminals. Pure functions of the scores."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from retraining.pipelines.movie_recommender.figures import METHODS
from retraining.pipelines.movie_recommender.recommender.evaluation import DEPTH, RELEVANT_FROM
from retraining.pipelines.movie_recommender.stream.parsing import REASONS
from tracked_kedro.reports import TEXT_WIDTH, listed, number, page, percent

TEMPLATE = Path(__file__).with_name("report.html.j2")
#: A share of held-out pairs or users above which "the model does not know them" explains a tie with a baseline.
MOSTLY = 0.5


def report_html(scores: Mapping[str, Any], summary: Mapping[str, Any], figure: bytes) -> str:
    """A self-contained page; `figure` is a PNG."""
    return page(TEMPLATE).render(
        month=_month(summary),
        rows=_rows(scores),
        verdict=verdict(scores),
        scores=scores,
        summary=summary,
        rejects=_rejects(summary),
        figure=base64.b64encode(figure).decode(),
        depth=DEPTH,
        relevant_from=RELEVANT_FROM,
        simulated=summary["simulated"],
        context={"pipeline": "movie_recommender", "data_source": summary["origin"]},
    )


def report_text(scores: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The same as a table for the terminal, without a final newline."""
    title = f"Retraining for {_month(summary)}, views and ratings before {summary['cutoff']}"
    header = ["", "RMSE", f"recall@{DEPTH}", f"NDCG@{DEPTH}"]
    rows = [[row["name"], *(number(row[score]) for score in ("rmse", "recall", "ndcg"))] for row in _rows(scores)]
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells)

    lines = [f"{title} · simulated sample" if summary["simulated"] else title, "", line(header), rule]
    lines += [line(row) for row in rows] + [rule, ""]
    for note in [_read(summary), _held_out(scores), *verdict(scores)]:
        lines += textwrap.wrap(note, TEXT_WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def verdict(scores: Mapping[str, Any]) -> list[str]:
    """Plain sentences: which baselines the model beats by which score, which it does not, and why."""
    rows = {row["method"]: row for row in _rows(scores)}
    model = rows.pop("model")
    sentences, lost = [], False
    for score, label, sign in (("rmse", "RMSE", -1), ("recall", f"recall@{DEPTH}", 1), ("ndcg", f"NDCG@{DEPTH}", 1)):
        beaten = [row["name"] for row in rows.values() if sign * (model[score] - row[score]) > 0]
        others = [f"{row['name']} ({number(row[score])})" for row in rows.values() if row["name"] not in beaten]
        lost = lost or bool(others)
        parts = [f"better than {listed(beaten)}"] if beaten else []
        parts += [f"not better than {listed(others)}"] if others else []
        sentences.append(f"By {label} ({number(model[score])}) the model is {', but '.join(parts)}.")
    return [*sentences, *(_reasons(scores) if lost else [])]


def _reasons(scores: Mapping[str, Any]) -> list[str]:
    found = []
    if scores["share_new_users"] > MOSTLY:
        found.append(
            f"Why: {percent(scores['share_users_of_one_pair'])} of the users have watched or rated one movie only, so "
            f"that {percent(scores['share_new_users'])} of the held-out pairs belong to users without any other. About "
            "them there is nothing to learn: all it can give them is the movie's mean and the popular list, which is "
            "what the baselines are; and one movie says too little of the taste of the rest."
        )
    if scores["share_new_movies"] > 0.1:
        found.append(
            f"{percent(scores['share_new_movies'])} of the held-out pairs are of movies that the training part does "
            "not have: nobody can name those."
        )
    return found or ["Why: no single cause is plain from the data; look at the curves and at the hyperparameters."]


def _month(summary: Mapping[str, Any]) -> str:
    return f"{date.fromisoformat(summary['month'] + '-01'):%B %Y}"


def _held_out(scores: Mapping[str, Any]) -> str:
    return (
        f"{scores['n_pairs']:,} pairs of {scores['n_users']:,} users and {scores['n_movies']:,} movies; "
        f"{scores['n_test']:,} held out, ranking scored for {scores['n_ranked_users']:,} users."
    )


def _read(summary: Mapping[str, Any]) -> str:
    counts = summary["counts"]
    parts = [f"{counts['views']:,} views", f"{counts['ratings']:,} ratings"]
    parts += [f"{counts['recommendation_requests']:,} recommendation requests"]
    parts += [f"{counts['rejected']:,} rejected ({percent_exact(counts)}{_kinds(summary)})"]
    later = f"; {counts['after_cutoff']:,} after the cutoff" if counts["after_cutoff"] else ""
    return f"{counts['lines']:,} lines: {', '.join(parts)}{later}. Read as {'; '.join(summary['shapes'])}."


def percent_exact(counts: Mapping[str, int]) -> str:
    """Share of rejected lines with the digits that a small one needs."""
    return f"{100 * counts['rejected'] / counts['lines']:.2g} %"


def _kinds(summary: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{reason} {count:,}" for reason, count in _rejects(summary).items())
    return f": {kinds}" if kinds else ""


def _rejects(summary: Mapping[str, Any]) -> dict[str, int]:
    counts = summary["counts"]
    return {reason: counts[f"rejected.{reason}"] for reason in REASONS if counts.get(f"rejected.{reason}")}


def _rows(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": method,
            "name": name,
            "rmse": one["rmse"],
            "recall": one["recall"][str(DEPTH)],
            "ndcg": one["ndcg"][str(DEPTH)],
        }
        for method, name in METHODS.items()
        for one in [scores["models"][method]]
    ]
