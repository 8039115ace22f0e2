"""Benchmark `tracked`: the `series` shard task end to end on a real MLflow server with Postgres and an S3 store.

Two fits, two forecasts, scores, plot, child run, posterior and model of each series, driven as the DAG drives it. The
client is a process of its own, so that its CPU seconds and the servers' are told apart; a first small shard, which
imports and loads compiled code, is a row of its own.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from deployment import Deployment, simulated_project, temporary_folder
from measure import publish
from processes import cpu_of_tree, servers

from operations.native.stack import Stores, started_stores

SHARDS, PER_SHARD, WARM_UP = 2, 12, 2
RUN_LEVEL = ["refresh", "process_datasets", "describe_run", "model_graph", "train_test_split", "learn_fleet"]


def main() -> None:
    """Start the stores, then the client, and measure both around every shard."""
    with temporary_folder() as folder, started_stores(folder / "stores") as stores:
        count = WARM_UP + SHARDS * PER_SHARD
        deployment = Deployment(folder, simulated_project(folder, count), stores.mlflow.client_environment())
        names = [f"s{number:05d}" for number in range(count)]
        shards = [names[:WARM_UP]]
        shards += [names[start : start + PER_SHARD] for start in range(WARM_UP, count, PER_SHARD)]
        measured = _measure(deployment, stores, shards)
    warm_up, *warm = measured
    total = _sum(warm)
    rows = [
        [label, len(one["shard"]), *_per_series(one)]
        for label, one in [("first shard, cold", warm_up), ("shards, warm", total)]
    ]
    steps = sorted(total["steps"].items(), key=lambda item: -item[1])
    series = len(total["shard"])
    step_rows = [[name, cpu / series] for name, cpu in steps if cpu / series >= 0.001]
    rows += [[f"  {name}", "", cpu, "", "", "", "", ""] for name, cpu in step_rows]
    figure = _per_series(total)
    publish(
        "tracked",
        f"{figure[0]:.3f} client CPU-s per series, {figure[2]:.1f} requests, {sum(figure[3:]):.3f} server CPU-s",
        ["what", "series", "client CPU-s", "wall s", "requests", "MLflow CPU-s", "Postgres CPU-s", "S3 CPU-s"],
        rows,
        requests={path: count / series for path, count in sorted(total["requests"].items())},
    )


def _measure(deployment: Deployment, stores: Stores, shards: list[list[str]]) -> list[dict]:
    command = [sys.executable, __file__, "client", json.dumps(shards)]
    environment = {**deployment.environment, "PYTHONPATH": deployment.environment["PYTHONPATH"]}
    client = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin is not None and client.stdout is not None
    measured = []
    running = servers()
    _line(client)  # the run-level nodes are done
    for shard in shards:
        before, log = {name: cpu_of_tree(pid) for name, pid in running.items()}, len(stores.access_log())
        client.stdin.write("\n")
        client.stdin.flush()
        result = json.loads(_line(client))
        time.sleep(0.5)  # the log is written after the answer
        after = {name: cpu_of_tree(pid) for name, pid in running.items()}
        requests = Counter(_requests(stores.access_log()[log:]))
        spent = {name: after[name] - before[name] for name in running}
        measured.append({**result, "shard": shard, "requests": requests, "servers": spent})
    client.stdin.close()
    assert client.wait(60) == 0
    return measured


def _line(client: subprocess.Popen) -> str:
    assert client.stdout is not None
    for line in client.stdout:
        if line.startswith("#"):
            return line[1:]
    raise SystemExit("the client ended; its messages are above")


def _requests(log: str) -> list[str]:
    found = re.findall(r'"([A-Z]+) /api/\d\.0/([^ ?"]+)\S* HTTP', log)
    return [f"{method} {re.sub(r'artifacts/.*/artifacts/', '…/', path)}" for method, path in found]


def _sum(shards: list[dict]) -> dict:
    total = {"shard": [], "requests": Counter(), "servers": Counter(), "steps": Counter(), "cpu": 0.0, "wall": 0.0}
    for one in shards:
        total["shard"] = total["shard"] + one["shard"]
        total["cpu"] += one["cpu"]
        total["wall"] += one["wall"]
        for part in ("requests", "servers", "steps"):
            total[part].update(one[part])
    return total


def _per_series(one: dict) -> list[float]:
    count = len(one["shard"])
    servers = [one["servers"][name] / count for name in ("mlflow", "postgres", "artifacts")]
    return [one["cpu"] / count, one["wall"] / count, sum(one["requests"].values()) / count, *servers]


class _Steps(logging.Handler):
    """CPU seconds between what Kedro says: loading, running, saving. Whatever follows a message belongs to it."""

    def __init__(self) -> None:
        super().__init__()
        self.spent: Counter[str] = Counter()
        self._label, self._since = "session", time.process_time()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        for pattern, label in (
            (r"Loading data from (\S+)", "load"),
            (r"Saving data to (\S+)", "save"),
            (r"Running node: (\S+):", "run"),
            (r"(Pipeline execution completed)", "session"),
        ):
            if found := re.search(pattern, re.sub(r"\[/?[^\]]*\]", "", message)):
                self.switch(f"{label} {found[1]}" if label != "session" else label)

    def switch(self, label: str) -> None:
        now = time.process_time()
        self.spent[self._label] += now - self._since
        self._label, self._since = label, now


def client(shards: list[list[str]]) -> None:
    """The side of the task: prepare a run, then one shard at each line of standard input."""
    from mlflow.tracking import MlflowClient

    from tracked_kedro.kedro_side.sessions import Session
    from tracked_kedro.parent_run import runs

    for name in ("kedro", "retraining"):
        logging.getLogger(name).propagate = False
    experiment = MlflowClient().create_experiment("climate_brazil")
    parent = runs.open_parent(experiment, "climate_brazil", "bench", "climate_brazil bench", {})
    session = Session("climate_brazil", {"run_key": "bench"})
    runs.in_parent(parent, lambda: session.run(nodes=RUN_LEVEL))
    print("#ready", flush=True)
    for shard in shards:
        sys.stdin.readline()
        steps = _Steps()
        logger = logging.getLogger("kedro")
        logger.setLevel(logging.INFO)
        logger.addHandler(steps)
        cpu, wall = time.process_time(), time.perf_counter()
        session = Session("climate_brazil", {"run_key": "bench", "shard": shard})
        runs.in_parent(parent, lambda session=session: session.run(namespace="series"))
        steps.switch("session")
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "steps": dict(steps.spent)}
        logger.removeHandler(steps)
        print("#" + json.dumps(spent), flush=True)


def profile(shards: list[list[str]]) -> None:
    """`python benchmarks/tracked.py profile`: where the client's time goes, without servers (SQLite store)."""
    import cProfile
    import pstats

    from mlflow.tracking import MlflowClient

    from tracked_kedro.kedro_side.sessions import Session
    from tracked_kedro.parent_run import runs

    experiment = MlflowClient().create_experiment("climate_brazil", artifact_location=(Path.cwd() / "a").as_uri())
    parent = runs.open_parent(experiment, "climate_brazil", "bench", "climate_brazil bench", {})
    runs.in_parent(parent, lambda: Session("climate_brazil", {"run_key": "bench"}).run(nodes=RUN_LEVEL))
    runs.in_parent(
        parent, lambda: Session("climate_brazil", {"run_key": "bench", "shard": shards[0]}).run(namespace="series")
    )
    profiler = cProfile.Profile()

    def work() -> None:
        profiler.enable()
        Session("climate_brazil", {"run_key": "bench", "shard": shards[1]}).run(namespace="series")
        profiler.disable()

    runs.in_parent(parent, work)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(110)


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(json.loads(sys.argv[2]))
    elif sys.argv[1:2] == ["profile"]:
        profile(json.loads(sys.argv[2]))
    else:
        main()
