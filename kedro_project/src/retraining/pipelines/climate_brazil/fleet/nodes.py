"""Node `learn_fleet`: what the series teach each other, and whether the run makes use of it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from retraining.pipelines import climate_brazil
from retraining.pipelines.climate_brazil.fleet.inputs import FleetData, LearningSettings
from retraining.pipelines.climate_brazil.fleet.learnt_fleet import FLEET_FILE, DonorFit, LearntFleet
from retraining.pipelines.climate_brazil.stations.processing import data_digest, to_series
from retraining.pipelines.climate_brazil.structural import (
    DONOR_MONTHS,
    GATE_SERIES,
    MIN_OBSERVED_MONTHS,
    Decision,
    FleetFileError,
    FleetPrior,
    GroupClimate,
    InferenceConfig,
    Posterior,
    Series,
    StructuralError,
    decide,
    donor_slopes,
    fit,
    learn_fleet,
    sampled,
)
from tracked_kedro.kedro_side.code_version import code_version
from tracked_kedro.promotion.evidence import Version, comparable

log = logging.getLogger(__name__)

# A mean over dozens of forecasts needs no more; what it cannot weigh it leaves out, instead of sampling for minutes.
GATE_INFERENCE = InferenceConfig(points=256, min_ess=64, draws=100, grid_months=0, fallback=False)


def learn_from_fleet(
    data: FleetData, settings: LearningSettings
) -> tuple[LearntFleet, dict[str, str], dict[str, dict[str, Any]]]:
    """Learn what the series teach each other, and whether it wins on the fleet's own past.

    One fit a donor, from which that series' own fit goes on. A donor that this run lacks is the champion's, so that a
    run of a few series forecasts as the run of all of them; what a simulated fleet has taught real series is nothing.

    Returns:
        What was learnt, a tag for the run, and the new decision by what it was made from (none where it was known).
    """
    histories = _histories(data)
    slopes = donor_slopes(histories) if settings.min_years_own_slope else {}
    plain = settings.model.model_copy(update={"recent_years": None})
    before = _of_champion(comparable(data.champion, bool(data.origin["simulated"])), plain.model_dump())
    if before is not None:
        slopes = {one: slope for one, slope in before.slopes.items() if one not in histories} | slopes
    if settings.fleet.prior == "off":
        off = Decision(False, "fleet.prior: off")
        fleet = LearntFleet(
            model=plain,
            prior=FleetPrior(period=plain.period, donors=()),
            slopes=slopes,
            decision=off,
            climates=_climates(histories, data, settings, before, plain.transform == "log"),
        )
        return fleet, _tag(off), {}
    lent = {one.series: one for one in before.prior.donors if one.series not in histories} if before else {}
    able = [name for name, one in histories.items() if one.observed.sum() >= DONOR_MONTHS]
    teachers = sampled([*able, *lent], settings.fleet.donors, settings.seed)
    fits: dict[str, DonorFit] = {}
    learnt = learn_fleet(_posteriors([histories[one] for one in teachers if one in histories], settings, fits))
    lenders = [lent[name] for name in teachers if name in lent]
    prior = learnt.model_copy(update={"donors": tuple(sorted((*learnt.donors, *lenders), key=lambda one: one.series))})
    decision, new = _decision(histories, data, settings, before)
    log.info("%d donors; fleet prior %s: %s", len(prior.donors), "used" if decision.used else "unused", decision.reason)
    all_log = bool(fits) and all(one.transform == "log" for one in fits.values())
    fleet = LearntFleet(
        model=plain,
        prior=prior,
        slopes=slopes,
        decision=decision,
        recent_years=settings.fleet.recent_years,
        climates=_climates(histories, data, settings, before, all_log),
        fits=fits,
        from_champion=tuple(one.series for one in lenders),
    )
    return fleet, _tag(decision), new


def _climates(
    histories: Mapping[str, Series],
    data: FleetData,
    settings: LearningSettings,
    before: LearntFleet | None,
    log: bool,
) -> dict[str, GroupClimate]:
    """By group, and of all series under ""; the champion's where nobody of this run lends, or it is of a few series."""
    groups: dict[str, list[Series]] = {"": list(histories.values())}
    for name, one in histories.items():
        if group := data.entries.get(name, {}).get("group"):
            groups.setdefault(group, []).append(one)
    found = {group: GroupClimate.of(members, log) for group, members in groups.items()}
    own = {group: one for group, one in found.items() if one is not None}
    champions = before.climates if before else {}
    return own | champions if settings.series else champions | own


def _tag(decision: Decision) -> dict[str, str]:
    return {"fleet_prior": f"{'used' if decision.used else 'not used'}: {decision.reason}"}


def _histories(data: FleetData) -> dict[str, Series]:
    """By id; what is no series for whatever reason fails in its own task."""
    found = {}
    parts = data.training.collect().partition_by("series", as_dict=True, maintain_order=True)
    for (name,), rows in parts.items():
        try:
            found[str(name)] = to_series(rows, str(name))
        except ValueError as error:
            log.warning("%s teaches nothing: %s", name, error)
    return found


def _of_champion(champion: Version | None, model: Mapping[str, Any]) -> LearntFleet | None:
    """What the champion's fleet has taught, where it was learnt with this model; older versions have no such file."""
    if champion is None or FLEET_FILE not in champion.names:
        return None
    try:
        learnt = LearntFleet.from_json(champion.file(FLEET_FILE))
    except FleetFileError as error:
        log.warning("version %d of the champion lends nothing: %s", champion.number, error)
        return None
    if learnt.model.model_dump() != model:
        log.info("version %d of the champion lends nothing: it has another model", champion.number)
        return None
    return learnt


def _posteriors(
    histories: Sequence[Series], settings: LearningSettings, ends: dict[str, DonorFit]
) -> Iterator[Posterior]:
    """One after the other, for hundreds do not fit into memory; `ends` gets where each fit has ended."""
    plain = settings.model.model_copy(update={"recent_years": None})
    inference = settings.inference.model_copy(update={"method": "marginal", "fallback": False})
    for number, one in enumerate(histories, start=1):
        try:
            posterior = fit(one, plain, inference, seed=settings.seed)
        except StructuralError as error:  # its own task says so too
            log.warning("%s teaches nothing: %s", one.id, error)
            continue
        ends[one.id] = DonorFit.of(posterior)
        yield posterior
        posterior.forget()
        if number % 50 == 0:
            log.info("%d of %d donors fitted", number, len(histories))


def _decision(
    histories: Mapping[str, Series], data: FleetData, settings: LearningSettings, before: LearntFleet | None
) -> tuple[Decision, dict[str, dict[str, Any]]]:
    """From the configuration, from the champion, from an earlier run on the same, or from the fleet's past."""
    if settings.fleet.prior == "on":
        return Decision(True, "fleet.prior: on"), {}
    if settings.series and before is not None and before.decision.cases:
        return before.decision, {}
    able = [name for name, one in histories.items() if one.observed.sum() >= MIN_OBSERVED_MONTHS]
    members = sampled(able, GATE_SERIES, settings.seed)
    key = _key(data, members, settings)
    if key in data.gates:
        log.info("the fleet's past was compared before, with the same data, code and configuration")
        return Decision(**data.gates[key]()), {}
    alone = settings.model
    borrowing = alone.model_copy(update={"recent_years": alone.recent_years or settings.fleet.recent_years})
    decision = decide([histories[one] for one in members], borrowing, GATE_INFERENCE, settings.seed, alone=alone)
    return decision, {key: asdict(decision)}


def _key(data: FleetData, members: Sequence[str], settings: LearningSettings) -> str:
    """Hash of whatever the decision depends on."""
    rows = data.training.filter(pl.col("series").is_in(list(members))).collect().partition_by("series", as_dict=True)
    facts = {
        "data": sorted((str(name), data_digest(part)) for (name,), part in rows.items()),
        "model": settings.model.model_dump(),
        "recent_years": settings.fleet.recent_years,
        "seed": settings.seed,
        "code": code_version(climate_brazil.__name__),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
