"""Two who move the champion at once, on a real server: one order, the latest month at the end, a true history."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from tests.faults.proxy import Cut, Proxy, started
from tests.fixtures.stack import PlainServer, tasks_of
from tracked_kedro.month import shifted
from tracked_kedro.promotion.champion import LEDGER_TAG, ChampionChangedError, RegistryError
from tracked_kedro.promotion.ledger import Ledger
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.serving.signing import signed

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
]
_names = count()
PROCESSES, VERSIONS_EACH = 8, 5
_RACER = """
import json, sys
from mlflow.tracking import MlflowClient
from tracked_kedro.promotion.champion import ChampionChangedError
from tracked_kedro.promotion.registry import Registry
model, address, mine = json.loads(sys.argv[1])
registry = Registry(model, MlflowClient(address, address))
print("ready", flush=True)
sys.stdin.readline()
won = refused = 0
for number in mine:
    while True:
        champion = registry.aliases().get("champion")
        if champion is not None and champion > number:
            refused += 1  # as the rules do: versions are in the order of their months
            break
        try:
            won += registry.promote(number, champion, f"racer of {mine[0]}", "later month")
            break
        except ChampionChangedError:
            continue
print(json.dumps([won, refused]), flush=True)
"""


class Models:
    """Registered models on the server, with as many versions as are asked for, each of a later month."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.client = MlflowClient(address, address)

    def made(self, versions: int) -> Registry:
        register = self.not_made()
        for number in range(versions):
            register(number)
        return Registry(register.keywords["model"], self.client)

    def not_made(self) -> partial[int]:
        """What registers the version of a number; none is there yet."""
        name = f"crowns-{next(_names)}"
        run = self.client.create_run(self.client.create_experiment(name))
        folder = self.folder / name
        folder.mkdir()
        (folder / "MLmodel").write_text("means")
        return partial(self._register, model=name, run=run, tags=signed(name, folder))

    def _register(self, number: int, *, model: str, run: Run, tags: dict[str, str]) -> int:
        tags = {"cutoff": str(shifted(date(2020, 1, 1), number)), **tags}
        # A place of its own, as `register` gives each: a place that is known is the same version.
        source = f"{run.info.artifact_uri}/model/{number}"
        get_artifact_repository(source).log_artifacts(str(self.folder / model))
        client = MlflowClient(self.address, self.address)
        return Registry(model, client).register(source, run.info.run_id, f"digest {number}", tags)


@pytest.fixture(scope="module")
def models(plain_server: PlainServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    folder = tmp_path_factory.mktemp("crowns")
    with tasks_of(plain_server.address, folder):
        yield Models(plain_server.address, folder)


def is_true(registry: Registry) -> list[tuple[int, int | None]]:
    """The moves; ledger, tags and alias say the same."""
    known = registry.known()
    assert known is not None
    page = Ledger(registry.client, registry.model, known.tags[LEDGER_TAG]).read()
    assert not page.is_cut
    assert list(page.moves) == registry.history()
    assert {move.tag for move in page.moves} == {name for name in known.tags if name.startswith("champion.")}
    assert page.last is not None
    assert registry.aliases()["champion"] == page.last.version
    for before, move in zip((None, *page.moves), page.moves, strict=False):
        assert move.replaced == (before.version if before else None), "each move starts where the last one ended"
    return [(move.version, move.replaced) for move in page.moves]


@pytest.fixture
def proxy(models: Models) -> Iterator[Proxy]:
    with started(models.address) as proxy:
        yield proxy


def held(proxy: Proxy, number: int, how: Cut, slow: Callable[[], object], fast: Callable[[], object]) -> object:
    """Run `slow` with one of its requests held until `fast` is done; its result or error. None: it has fewer."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(slow())
        except RegistryError as error:
            outcome.append(error)

    proxy.cut(number, how)
    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive() and not proxy.reached.wait(0.05):
        pass
    reached = proxy.reached.is_set()
    if reached:
        fast()
        proxy.released.set()
    thread.join()
    return outcome[0] if reached else None


Asked = Callable[[Registry], object]


def each_held(
    models: Models, proxy: Proxy, how: Cut, champions: Sequence[int], of: int, slowly: Asked, meanwhile: Asked
) -> Iterator[tuple[int, Registry, object]]:
    """Hold one request of `slowly` after the other while `meanwhile` is done, on a new model each time.

    Args:
        models: of the server.
        proxy: what `slowly` goes through.
        how: whether the request or its answer is held.
        champions: versions that were champion before, in their order.
        of: how many versions there are.
        slowly: asked of a registry behind the proxy.
        meanwhile: asked of one beside it.
    """
    for number in count(1):
        registry = models.made(of)
        for before, version in zip((None, *champions), champions, strict=False):
            registry.promote(version, before, "ana", "earlier")
        slow = Registry(registry.model, MlflowClient(proxy.address, proxy.address))
        outcome = held(proxy, number, how, partial(slowly, slow), partial(meanwhile, registry))
        if outcome is None:
            assert number > 8
            print(f"{how}: {number - 1} requests held")
            return
        yield number, registry, outcome


@pytest.mark.parametrize("how", ["held request", "held answer"])
def test_a_promotion_that_is_held_anywhere_does_not_undo_another(models: Models, proxy: Proxy, how: Cut) -> None:
    def later_month(registry: Registry) -> None:
        champion = registry.aliases()["champion"]
        try:
            registry.promote(3, champion, "ben", "the later month")
        except ChampionChangedError:
            registry.promote(3, 2, "ben", "the later month, compared again")

    def second(registry: Registry) -> object:
        return registry.promote(2, 1, "cid", "held")

    for number, registry, outcome in each_held(models, proxy, how, [1], 3, second, later_month):
        moves = is_true(registry)
        assert registry.aliases()["champion"] == 3, f"request {number}"
        if isinstance(outcome, ChampionChangedError):
            assert moves == [(1, None), (3, 1)]
        else:
            assert moves == [(1, None), (2, 1), (3, 2)]


def test_a_rollback_that_is_held_anywhere_and_a_promotion_end_in_one_order(models: Models, proxy: Proxy) -> None:
    def third(registry: Registry) -> None:
        try:
            registry.promote(3, 2, "ben", "third")
        except ChampionChangedError:
            registry.promote(3, 1, "ben", "third, compared again")

    def back(registry: Registry) -> object:
        return registry.rollback(None, "cid", "wrong")

    for number, registry, outcome in each_held(models, proxy, "held request", [1, 2], 3, back, third):
        moves = is_true(registry)
        if isinstance(outcome, ChampionChangedError):
            assert moves[2:] == [(3, 2)], f"request {number}"
        else:
            # Whichever came first, the other saw it.
            assert moves[2:] in ([(1, 2), (3, 1)], [(3, 2), (2, 3)]), f"request {number}"


def test_of_two_who_roll_back_at_once_one_goes_back(models: Models, proxy: Proxy) -> None:
    """The second one does not take it back."""

    def back(registry: Registry) -> object:
        return registry.rollback(1, "ben", "wrong")

    for number, registry, _ in each_held(models, proxy, "held answer", [1, 2], 2, back, _rolled_back):
        assert registry.aliases()["champion"] == 1
        assert is_true(registry)[2:] == [(1, 2)], f"request {number}"


def _rolled_back(registry: Registry) -> object:
    try:
        return registry.rollback(1, "cid", "wrong")
    except ValueError as error:
        assert "is the champion already" in str(error)
        return error


def test_processes_that_race_end_with_the_latest_month(models: Models) -> None:
    registry = models.made(PROCESSES * VERSIONS_EACH)
    numbers = list(range(1, PROCESSES * VERSIONS_EACH + 1))
    racers = []
    for first in range(PROCESSES):
        asked = json.dumps([registry.model, models.address, numbers[first::PROCESSES]])
        racers.append(
            subprocess.Popen(
                [sys.executable, "-c", _RACER, asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        outcomes = [json.loads(racer.communicate(timeout=300)[0]) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
    moves = is_true(registry)
    versions = [version for version, _ in moves]
    assert versions == sorted(set(versions)), "no month replaces a later one"
    assert versions[-1] == numbers[-1]
    won, refused = (sum(column) for column in zip(*outcomes, strict=True))
    assert won == len(moves)
    assert won + refused == len(numbers)
    print(f"{PROCESSES} processes: {won} moves, {refused} refused, of {len(numbers)}")


def test_those_who_register_first_make_one_ledger(models: Models) -> None:
    register = models.not_made()
    threads = [threading.Thread(target=register, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registry = Registry(register.keywords["model"], models.client)
    assert sorted(int(version.version) for version in registry.versions()) == [1, 2, 3, 4, 5, 6]
    assert registry.aliases() == {"challenger": 6}
    for number in (1, 2):
        registry.promote(number, registry.aliases().get("champion"), "ana", "")
    assert is_true(registry) == [(1, None), (2, 1)]
