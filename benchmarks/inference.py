"""Benchmark `inference`: CPU seconds of one fit with 1,000 posterior draws and a 12-month forecast.

Our `marginal` against the tutorial model with PyMC's own sampler (one station), numpyro and nutpie (three); our `nuts`
on one station, with FULL=1 on three.
Every row runs in a process of its own; its imports are not counted, its compilation is, but for `marginal`, whose
compiled code is cached on disk as it is in production; `cold` counts everything from the start of the interpreter.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from measure import cost_of, cost_of_command, publish
from stations import real_stations

STATIONS = ("belem", "recife", "rio")
FULL = os.environ.get("FULL") == "1"
ROWS = {
    "marginal": STATIONS,
    "nuts": STATIONS if FULL else STATIONS[-1:],  # Rio: half the cost of the others
    "tutorial_nutpie": STATIONS,
    "tutorial_numpyro": STATIONS,
    "tutorial_pymc": STATIONS[:1],
}
REPEATS = 20


def main() -> None:
    """Run every row in turn, station by station, so that a drift of the machine's speed hits all of them."""
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in ROWS}
    wanted = os.environ.get("ONLY", ",".join(ROWS)).split(",")
    for station in STATIONS:
        for name, stations in ROWS.items():
            if station in stations and name in wanted:
                figures[name][station] = _in_process(name, station)
                print(f"{name} {station}: {figures[name][station][0]:.4g} CPU-s", flush=True)
    cold = statistics.median(_cold() for _ in range(3))
    ours = {station: cpu for station, (cpu, _) in figures["marginal"].items()}
    rows = []
    for name, stations in figures.items():
        for station, (cpu, ess) in stations.items():
            rows.append([name, station, cpu, cpu / ours[station], ess, ess / cpu])
    rows.append(["marginal, cold process", STATIONS[0], cold, "", "", ""])
    median = statistics.median(ours.values())
    publish(
        "inference",
        f"{median:.4f} CPU-s per series",
        ["method", "station", "CPU-s", "times ours", "ESS", "ESS per CPU-s"],
        rows,
    )


def _in_process(name: str, station: str) -> list[float]:
    command = [sys.executable, __file__, name, station]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _cold() -> float:
    code = "from stations import real_stations; from retraining.pipelines.climate_brazil.structural import fit; "
    code += f"fit(real_stations()['{STATIONS[0]}']).forecast(12).mean"
    return cost_of_command([sys.executable, "-c", code], cwd=Path(__file__).parent).cpu


def _measure(name: str, station: str) -> tuple[float, float]:
    """CPU seconds and effective sample size of one row."""
    series = real_stations()[station]
    if name.startswith("tutorial_"):
        import arviz  # noqa: F401  its import is not the sampler's
        import pymc
        from tutorial_model import fit_and_forecast

        cost, result = cost_of(lambda: fit_and_forecast(series, name.removeprefix("tutorial_")))
        return cost.cpu, result.ess
    from retraining.pipelines.climate_brazil.structural import InferenceConfig, fit

    def ours(seed: int):
        posterior = fit(series, inference=InferenceConfig(method=name), seed=seed)
        forecast = posterior.forecast(12)
        forecast.draws(1000)
        return posterior

    if name == "nuts":
        import pymc  # noqa: F401

        cost, posterior = cost_of(lambda: ours(0))
        return cost.cpu, posterior.diagnostics["ess"]
    ours(0)  # loads the cached compiled code
    cost, posteriors = cost_of(lambda: [ours(seed) for seed in range(REPEATS)])
    return cost.cpu / REPEATS, statistics.median(p.diagnostics["ess"] for p in posteriors)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(_measure(*sys.argv[1:])))
    else:
        main()
