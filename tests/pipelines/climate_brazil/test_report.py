"""The report adds up, says plainly who wins, and shows what failed and why."""

import html.parser
import re
from typing import Any

import polars as pl
import pytest

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from retraining.pipelines.climate_brazil.report.inputs import RunFacts, Scored
from retraining.pipelines.climate_brazil.report.nodes import MOST_WARNINGS, report
from retraining.pipelines.climate_brazil.report.report import (
    SHOW_ALL_UP_TO,
    SHOW_WORST,
    TEXT_WIDTH,
    Findings,
    diagnostics,
    report_html,
    report_text,
    verdict,
    watch_list,
)
from retraining.pipelines.climate_brazil.report.taught import taught
from retraining.pipelines.climate_brazil.series.scores import pooled_scores
from retraining.pipelines.climate_brazil.stations.doubtful import SCHEMA as FLAGS_SCHEMA
from retraining.pipelines.climate_brazil.structural import InferenceConfig
from tests.pipelines.climate_brazil.made_up_fleets import borrowing, unused
from tests.pipelines.climate_brazil.made_up_scores import failed, score

GATE = InferenceConfig()
MONTHS = {"cutoff": "2019-11-01", "month": "2019-10", "newest_observation": "2019-10-01", "flagged_share": 0.0}
NO_QUARANTINE = pl.DataFrame(schema={"series": pl.String, "label": pl.String, "file": pl.String, "reason": pl.String})
QUARANTINE = pl.DataFrame(
    {
        "series": ["x"],
        "label": ["Macapá"],
        "file": ["station_x.csv"],
        "reason": ["JAN of 1990: <i>n/a</i> is text"],
    }
)


NO_FLAGS = pl.DataFrame(schema=FLAGS_SCHEMA)


def facts(simulated: bool = False, quarantine: pl.DataFrame = NO_QUARANTINE) -> RunFacts:
    return RunFacts(MONTHS, {"simulated": simulated, "origin": "somewhere"}, quarantine, NO_FLAGS)


def findings(scores: list[dict[str, Any]], simulated: bool, quarantine: pl.DataFrame) -> Findings:
    return Findings(scores, pooled_scores(scores), facts(simulated, quarantine), GATE)


def page(scores: list[dict[str, Any]], simulated: bool = False, quarantine: pl.DataFrame = NO_QUARANTINE) -> str:
    return report_html(findings(scores, simulated, quarantine), {"DAG run": "<manual>"})


def terminal(scores: list[dict[str, Any]], simulated: bool = False, quarantine: pl.DataFrame = NO_QUARANTINE) -> str:
    return report_text(findings(scores, simulated, quarantine))


def body_rows(document: str) -> list[str]:
    return re.findall(r'<tr><th scope="row">(.*?)</th>', document)


class TestVerdict:
    def test_names_what_it_beats_and_what_it_does_not(self) -> None:
        sentence = verdict(pooled_scores([score()]))[0]
        assert sentence == (
            "On 12 held-out months of 1 series the model is better than seasonal naive (CRPS 20.0 % lower) "
            "and climatology (CRPS 33.3 % lower), but not better than climatology + trend "
            "(CRPS 5.3 % higher)."
        )

    def test_says_when_rmse_disagrees(self) -> None:
        sentences = verdict(pooled_scores([score(rmse_climatology_trend=0.7)]))
        assert "By RMSE it is the other way round: 0.600 against 0.700 °C of climatology + trend." in sentences

    def test_what_looks_the_same_is_no_difference(self) -> None:
        assert not any("other way" in one for one in verdict(pooled_scores([score(rmse_climatology_trend=0.6003)])))

    def test_coverage(self) -> None:
        assert verdict(pooled_scores([score()]))[-1] == "Its 80 % interval held 75 % of them."

    def test_nothing_to_compare(self) -> None:
        assert verdict(pooled_scores([failed()])) == [
            "No series finished with a score, so there is nothing to compare."
        ]


class TestDiagnostics:
    def test_marginal(self) -> None:
        assert diagnostics(score(), GATE) == "marginal, k-hat 0.21, ESS 876"

    def test_nuts(self) -> None:
        nuts = score(method_used="nuts", k_hat=None, r_hat=1.0035, ess=900, divergences=0)
        assert diagnostics(nuts, GATE) == "nuts, R-hat 1.004, ESS 900, 0 div."

    @pytest.mark.parametrize("doubt", [{"k_hat": 0.8}, {"ess": 399}, {"r_hat": 1.02}, {"divergences": 1}, {"ess": 0}])
    def test_marks_what_deserves_a_look(self, doubt: dict[str, float]) -> None:
        assert diagnostics(score(**doubt), GATE).startswith("(!)")
        assert "(!)" in page([score(**doubt)])

    def test_the_limits_are_those_of_the_inference(self) -> None:
        assert diagnostics(score(k_hat=0.6), InferenceConfig(max_k_hat=0.5)).startswith("(!)")
        assert not diagnostics(score(ess=300), InferenceConfig(min_ess=200)).startswith("(!)")

    def test_the_table_says_what_they_mean(self) -> None:
        assert "k-hat of 0.7" in " ".join(terminal([score()]).split())
        assert "k-hat of" not in terminal([score(method_used="nuts", k_hat=None, r_hat=1.0)])

    def test_nothing_known(self) -> None:
        assert diagnostics({}, GATE) == "none recorded"


class TestReportHtml:
    def test_labels_reasons_and_context_are_escaped(self) -> None:
        document = page([score("<b>Belém</b>"), failed()], quarantine=QUARANTINE)

        assert "&lt;b&gt;Belém&lt;/b&gt;" in document
        assert "ValueError: no &lt;b&gt;variance&lt;/b&gt;" in document
        assert "JAN of 1990: &lt;i&gt;n/a&lt;/i&gt; is text" in document
        assert "&lt;manual&gt;" in document
        assert not any(tag in document for tag in ("<b>", "<i>", "<manual>"))

    @pytest.mark.parametrize("simulated", [True, False])
    def test_says_simulated_sample_exactly_when_it_is(self, simulated: bool) -> None:
        assert ("simulated sample" in page([score()], simulated)) is simulated

    def test_asks_nothing_of_other_hosts_and_follows_the_reader_s_mode(self) -> None:
        document = page([score(), failed()], quarantine=QUARANTINE)
        assert not re.search(r"https?:|//[a-z]|<link|<img|src=|url\(|@import", document.replace("// Sorting", ""))
        assert "prefers-color-scheme: dark" in document
        assert 'name="viewport"' in document

    def test_compares_with_the_three_naive_models(self) -> None:
        document = page([score(mae_climatology_trend=0.456), score("B", crps=0.3)])
        assert body_rows(document)[:3] == ["seasonal naive", "climatology", "climatology + trend"]
        assert "<td>0.456</td><td>0.380</td>" in document
        assert "1 of 2" in document  # series in which the model beats climatology + trend

    def test_series_failures_and_quarantine_have_their_tables(self) -> None:
        document = page([score("São Luís"), failed()], quarantine=QUARANTINE)
        assert body_rows(document)[3:] == ["São Luís", "Rio de Janeiro", "Macapá"]
        assert "Failed series" in document
        assert "Quarantined stations" in document
        assert "station_x.csv" in document

    def test_sections_without_content_are_absent(self) -> None:
        document = page([score()])
        assert "Failed series" not in document
        assert "Quarantined" not in document

    def test_all_series_failed(self) -> None:
        document = page([failed()])
        assert "No series finished" in document
        assert "0 of 1" in document

    def test_a_fleet_shows_its_worst_by_skill(self) -> None:
        n = SHOW_ALL_UP_TO + 1
        scores = [score(f"S{k:03}", skill_vs_seasonal_naive=k / n) for k in reversed(range(n))]
        scores[0]["skill_vs_seasonal_naive"] = None
        document = page(scores)

        assert body_rows(document)[3:] == [f"S{k:03}" for k in range(SHOW_WORST)]
        assert f"These are the {SHOW_WORST} series with the least skill, of {n} that finished" in document
        assert len(body_rows(page(scores[1:]))[3:]) == SHOW_ALL_UP_TO

    def test_tags_are_balanced(self) -> None:
        class Balance(html.parser.HTMLParser):
            def __init__(self) -> None:
                super().__init__()
                self.open_tags: list[str] = []

            def handle_starttag(self, tag: str, attrs: Any) -> None:
                if tag != "meta":
                    self.open_tags.append(tag)

            def handle_endtag(self, tag: str) -> None:
                assert self.open_tags.pop() == tag

        parser = Balance()
        parser.feed(page([score(), failed()], quarantine=QUARANTINE))
        assert parser.open_tags == []


class TestReportText:
    def test_columns_line_up_under_accents_of_either_form(self) -> None:
        decomposed = "Goia\u0302nia"
        lines = terminal([score("Belém"), score(decomposed), score("Rio")]).splitlines()
        header = next(line for line in lines if line.startswith("series"))
        rows = [line for line in lines if "marginal," in line]

        assert [row.index("marginal") for row in rows] == [header.index("diagnostics")] * 3
        assert rows[1].startswith("Goiânia ")
        assert all(row.index("0.400") + len("0.400") == header.index("CRPS °C") + len("CRPS °C") for row in rows)

    def test_never_wider_than_the_terminal(self) -> None:
        long = score("A very long name of a station", ess=3, k_hat=1.5, r_hat=1.234, divergences=1234)
        reason = failed(reason="ValueError: " + "long words " * 40)
        lines = terminal([score(), long, reason], True, QUARANTINE).splitlines()
        assert max(map(len, lines)) <= TEXT_WIDTH

    def test_pooled_row_comes_after_the_series_then_failures_and_quarantine(self) -> None:
        text = terminal([score(), failed()], quarantine=QUARANTINE)
        places = [
            text.index(part)
            for part in (
                "Belém",
                "all series, pooled",
                "failed: Rio de Janeiro: ValueError",
                "quarantined: Macapá: JAN",
            )
        ]
        assert places == sorted(places)
        pooled = next(line for line in text.splitlines() if line.startswith("all series"))
        assert pooled.split()[3:] == [
            "0.600",
            "0.500",
            "0.400",
            "75",
            "%",
            "+0.20",
            "12",
            "held-out",
            "months",
        ]

    def test_units_and_month_are_named(self) -> None:
        text = terminal([score()])
        assert "Retraining for October 2019, observations before 2019-11-01" in text
        assert "RMSE °C" in text
        assert "CRPS °C" in text

    @pytest.mark.parametrize("simulated", [True, False])
    def test_says_simulated_sample_exactly_when_it_is(self, simulated: bool) -> None:
        assert ("simulated sample" in terminal([score()], simulated)) is simulated

    def test_control_characters_never_reach_the_terminal(self) -> None:
        text = terminal([score("A\x1b[31m"), failed(reason="two\nlines \x1b]0;title\x07")])
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "two lines" in text

    def test_all_series_failed(self) -> None:
        assert "no series finished" in terminal([failed()])

    def test_unknown_scores_are_dashes(self) -> None:
        row = next(line for line in terminal([score(mae=None)]).splitlines() if line.startswith("Belém"))
        assert row.split()[1:5] == ["500", "0.600", "—", "0.400"]


class TestTaught:
    """What the series teach each other, as a person reads it."""

    def page(self, fleet: LearntFleet) -> str:
        one, labels = score(), {f"other_{i}": f"Station <{i}>" for i in range(6)}
        found = Findings([one], pooled_scores([one]), facts(), GATE, taught=taught(fleet, labels, "°C"))
        return report_html(found, {})

    def test_it_says_what_was_decided_and_shows_the_prior_with_its_donors(self) -> None:
        document = self.page(borrowing(from_champion=("other_2",)))
        assert "Series borrow from each other: CRPS 0.274 with" in document
        assert (
            "numbers are the champion" in document and "Station &lt;2&gt;" in document and "Station <2>" not in document
        )
        assert document.count("<svg") == 2 and document.count("<circle") == 12
        # exp(0.625), the mean of six donors; 1.5 times their 1.41 of the first harmonic; 0.25 °C a decade.
        assert "1.9 (68 %: 1.3 to 2.7)" in document and "2.1, 0.34" in document and "+0.25 ±" in document
        html.parser.HTMLParser().feed(document)

    def test_a_fleet_that_has_learnt_nothing_says_so_without_pictures(self) -> None:
        document = self.page(unused())
        assert "Series do not borrow from each other: fleet.prior: off." in document and "<svg" not in document

    def test_the_terminal_says_it_in_one_line(self) -> None:
        one = score()
        found = Findings([one], pooled_scores([one]), facts(), GATE, taught=taught(borrowing(), {}, "°C"))
        assert "Series borrow from each other: CRPS 0.274" in report_text(found)


def test_a_series_that_borrows_a_climatology_is_on_the_watch_list() -> None:
    reason = "9 observed months are too few for a model: climatology of its group"
    row = {"label": "New", "status": "finished", "degraded": False, "stale": False, "reason": reason}
    plain = row | {"label": "Old", "reason": None}
    assert watch_list(pl.DataFrame([row, plain])) == [{"label": "New", "what": "borrowed", "reason": reason}]


def test_who_is_on_the_watch_list_is_a_warning_and_a_fleet_does_not_make_it_endless() -> None:
    def warnings(stale: int) -> list[str]:
        row = {"status": "finished", "degraded": False, "stale": True, "reason": "the newest observation is old"}
        rows = [{"label": f"Station {number}", **row} for number in range(stale)]
        degraded = {"label": "Rio", "status": "carried_over", "degraded": True, "stale": True, "reason": "off"}
        seen = pl.DataFrame([degraded, *rows])
        one = score()
        entries = {one["series"]: {"label": one["label"]}}
        scored = Scored({one["series"]: lambda: one}, list(entries), entries)
        made = report(scored, facts(), seen, {"remarks": []}, GATE, borrowing())
        assert "stale: Station 0: the newest observation is old" in made[3], "as the report says it"
        return made[4]

    assert warnings(1) == ["carried over, degraded: Rio: off", "stale: Station 0: the newest observation is old"]
    many = warnings(5000)
    assert len(many) == MOST_WARNINGS + 1
    assert many[-1] == f"and {5001 - MOST_WARNINGS} more, which the report lists"
