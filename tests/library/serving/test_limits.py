"""Attacks on the server with little to say: each is refused at once by the limit's name, and others are answered."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import uvicorn
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mlflow.pyfunc import scoring_server

from tests.library.serving.conftest import SERVED, write
from tracked_kedro.serving import connections, doors
from tracked_kedro.serving.limited import App, Lanes, Limited
from tracked_kedro.serving.limits import Limits, RefusedError, rows_asked_for
from tracked_kedro.serving.packaging import write_model

LIMITS = Limits(body=10_000, records=50, values=4, rows=1_000, at_once=3)
JSON = {"Content-Type": "application/json"}
TOKEN = "correct-horse-battery"

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture
def model(made_up: Path, tmp_path: Path) -> Any:
    """A real one. A record is the number of rows that it wants; one of 500 waits for the file `go`."""
    waits = f'import pathlib, time\n        while 500 in model_input and not pathlib.Path("{tmp_path}/go").exists():'
    text = SERVED.replace("        return 1\n", "        return int(record)\n")
    text = text.replace("ParamSchema([])", 'ParamSchema([ParamSpec("quantiles", DataType.double, [0.5], shape=(-1,))])')
    text = text.replace("ParamSchema, Schema", "ParamSchema, ParamSpec, Schema")
    text = text.replace('"""By area."""', f'"""By area."""\n        {waits}\n            time.sleep(0.01)')
    write(made_up, {"pipelines/prices/served_model.py": text})
    write_model("made_up.pipelines.prices", {"base.txt": b"500"}, tmp_path / "model")
    yield mlflow.pyfunc.load_model(str(tmp_path / "model"))
    (tmp_path / "go").touch()


@pytest.fixture
def server() -> Iterator[Callable[[App], int]]:
    """Starts a real server; its port."""
    servers = []

    def start(app: App) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, http=connections.Connection, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return listener.getsockname()[1]

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(30)


def ask(port: int, body: Any, path: str = "/invocations", method: str = "POST", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content = json.dumps(body).encode() if isinstance(body, dict | list) else body
        connection.request(method, path, content, {**JSON, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


ATTACKS = {
    "body": (b" " * 10_001, 413, "more than 10000 bytes (SERVING_MAX_BODY)"),
    "nesting": (b"[" * 4000 + b"]" * 4000, 400, "nested more than 16 deep (SERVING_MAX_DEPTH)"),
    "nesting in a parameter": (
        {"inputs": [1], "params": {"quantiles": json.loads("[" * 20 + "]" * 20)}}, 400, "SERVING_MAX_DEPTH"
    ),
    "records": ({"inputs": [1] * 51}, 400, "more than 50 records (SERVING_MAX_RECORDS)"),
    "records in columns": ({"dataframe_split": {"columns": ["a"], "data": [[1]] * 51}}, 400, "SERVING_MAX_RECORDS"),
    "quantiles": ({"inputs": [1], "params": {"quantiles": [0.1] * 5}}, 400, "more than 4 values (SERVING_MAX_VALUES)"),
    "rows of one record": ({"inputs": [10**9]}, 400, "more than 1000 rows (SERVING_MAX_ROWS)"),
    "rows in all": ({"inputs": [400] * 3}, 400, "more than 1000 rows (SERVING_MAX_ROWS)"),
    "a misspelt parameter": ({"inputs": [1], "params": {"quantile": [0.5]}}, 400, "'quantile'; known are: quantiles"),
    "a misspelt field": ({"inputs": [1], "parms": {}}, 400, "unknown field 'parms'; known are inputs,"),
    "parameters of no kind": ({"inputs": [1], "params": [1]}, 400, "params is no JSON object"),
    "two inputs": ({"inputs": [1], "instances": [1]}, 400, "exactly one of inputs"),
    "no JSON": (b"{", 400, "the body is no JSON"),
    "a number of 5,000 digits": (b'{"inputs": [' + b"1" * 5000 + b"]}", 400, "the body is no JSON"),
    "a list": ([1], 400, "no JSON object"),
}  # fmt: skip


def test_each_attack_is_refused_at_once_by_the_limits_name(model: Any, server: Callable[[App], int]) -> None:
    port = server(Limited(scoring_server.init(model), model, LIMITS, Lanes(LIMITS)))
    for name, (body, status, told) in ATTACKS.items():
        answered, message = ask(port, body)
        assert (answered, told in message) == (status, True), f"{name}: {answered} {message}"
        assert len(message) < 400, f"{name}: the answer repeats the request"
    # Without a length in front, too.
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        chunk = b"2710\r\n" + b" " * 10_000 + b"\r\n"
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2 + b"0\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    for kind in ("application/vnd.apache.parquet", "text/csv", "application/x-python-pickle", ""):
        assert ask(port, b"x", **{"Content-Type": kind})[0] == 415
    assert ask(port, {"inputs": [7.0], "params": {"quantiles": [0.5]}}) == (200, '{"predictions": [570.0]}')


HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("kinds", [("text/csv", "application/json"), ("application/json", "text/csv")])
def test_a_second_kind_of_content_is_refused(model: Any, server: Callable[[App], int], kinds: tuple[str, str]) -> None:
    """Of two headers this library and the scorer might each believe another one."""
    port = server(Limited(scoring_server.init(model), model, LIMITS, Lanes(LIMITS)))
    lines = b"".join(f"Content-Type: {kind}\r\n".encode() for kind in kinds)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(HEAD + lines + b'Content-Length: 15\r\n\r\n{"inputs": [7]}')
        assert connection.recv(4096).startswith(b"HTTP/1.1 415 ")


def test_an_error_of_the_model_shows_no_code_and_no_path(
    made_up: Path, tmp_path: Path, server: Callable[[App], int], caplog: pytest.LogCaptureFixture
) -> None:
    text = SERVED.replace('"""By area."""', '"""By area."""\n        raise OverflowError("of a secret kind")')
    write(made_up, {"pipelines/prices/served_model.py": text})
    write_model("made_up.pipelines.prices", {"base.txt": b"500"}, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    status, message = ask(server(Limited(scoring_server.init(model), model, LIMITS, Lanes(LIMITS))), {"inputs": [7.0]})
    assert (status, json.loads(message)["error_code"]) == (400, "BAD_REQUEST")
    assert not [one for one in ("Traceback", "secret kind", ".py", str(tmp_path)) if one in message], message
    assert "of a secret kind" in caplog.text


def test_an_error_keeps_its_end_and_loses_its_trace(
    server: Callable[[App], int], model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        told = {"message": f"Failed to predict data {'x' * 9_000}: no such street", "stack_trace": "in /srv/model.py"}
        await send({"type": "http.response.start", "status": 400, "headers": [(b"content-length", b"9999")]})
        for part in (json.dumps(told)[:50], json.dumps(told)[50:]):
            await send({"type": "http.response.body", "body": part.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    port = server(Limited(failing, model, LIMITS, Lanes(LIMITS)))
    status, message = ask(port, {"inputs": [7.0]})
    assert (status, "no such street" in message, "/srv" in message) == (400, True, False)
    assert len(message) < 3_000 and "in /srv/model.py" in caplog.text


class TestConnections:
    def ended(self, connection: socket.socket) -> bool:
        try:
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    @pytest.mark.parametrize("sent", [b"", b"GET /ping HT", b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\nGET /pi"])
    def test_whoever_sends_no_whole_head_loses_the_place(
        self, server: Callable[[App], int], monkeypatch: pytest.MonkeyPatch, sent: bytes
    ) -> None:
        monkeypatch.setattr(connections, "PATIENCE", 0.2)
        with socket.create_connection(("127.0.0.1", server(yes)), timeout=60) as connection:
            connection.sendall(sent)
            assert self.ended(connection)

    def test_whoever_does_not_take_the_answer_loses_the_place(
        self, server: Callable[[App], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "PATIENCE", 0.2)
        done = threading.Event()

        async def long(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1_000):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            done.set()

        with socket.create_connection(("127.0.0.1", server(long)), timeout=60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert done.wait(60)

    def test_who_is_answered_slowly_keeps_it(
        self, server: Callable[[App], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "PATIENCE", 0.05)

        async def thinking(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(0.5)
            await yes(scope, receive, send)

        assert ask(server(thinking), {"inputs": [7.0]})[0] == 200

    def test_a_head_has_an_end(self, server: Callable[[App], int]) -> None:
        """Else one request could fill the memory."""
        port = server(yes)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
            contextlib.suppress(ConnectionError),
        ):
            connection.sendall(HEAD)
            for _ in range(200):
                connection.sendall(b"X: " + b"a" * 10_000 + b"\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 4")


def test_others_are_answered_beside_a_large_request(model: Any, server: Callable[[App], int], tmp_path: Path) -> None:
    lanes = Lanes(LIMITS)
    port = server(Limited(scoring_server.init(model), model, LIMITS, lanes))
    large: list[int] = []
    asked: list[threading.Thread] = []

    def ask_for_much(times: int) -> None:
        for _ in range(times):
            asked.append(threading.Thread(target=lambda: large.append(ask(port, {"inputs": [500.0]})[0])))
            asked[-1].start()
        deadline = time.monotonic() + 60
        while lanes.inside < len(asked):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    # One is at work and four wait.
    ask_for_much(5)
    for _ in range(3):
        assert ask(port, None, "/ping", "GET")[0] == 200
        assert ask(port, {"inputs": [7.0]})[0] == 200
    # With one more waiting nobody else is let in.
    ask_for_much(1)
    answer = ask(port, {"inputs": [7.0]})
    assert answer[0] == 503
    assert "SERVING_MAX_AT_ONCE" in answer[1]
    assert ask(port, None, "/ping", "GET")[0] == 200
    (tmp_path / "go").touch()
    for thread in asked:
        thread.join(60)
    assert large == [200] * 6
    assert ask(port, {"inputs": [7.0]})[0] == 200


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["inputs", "params", "instances", "data", "columns", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSONS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50))
@example(b'{"inputs": null}')
@example(b'{"inputs": {}}')
@example(b'{"dataframe_split": {"data": 1}}')
@example(b'{"inputs": [NaN, Infinity, -1e400]}')
def test_whatever_is_asked_is_counted_or_refused(model: Any, body: bytes) -> None:
    try:
        assert 0 <= rows_asked_for(body, model, LIMITS) <= LIMITS.rows
    except RefusedError as error:
        assert error.status == 400


def test_a_model_that_does_not_count_is_taken_for_one_with_long_answers(made_up: Path, tmp_path: Path) -> None:
    text = SERVED.replace("def rows(", "def other(")
    write(made_up, {"pipelines/prices/served_model.py": text})
    write_model("made_up.pipelines.prices", {"base.txt": b"500"}, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert rows_asked_for(b'{"inputs": [1, 2]}', model, Limits()) == 2000
    with pytest.raises(RefusedError, match=r"SERVING_MAX_ROWS\); this model does not count its rows"):
        rows_asked_for(b'{"inputs": [1, 2, 3, 4, 5, 6]}', model, Limits())
    with pytest.raises(RefusedError, match="unknown parameter 'quantiles'; known are: none"):
        rows_asked_for(b'{"inputs": [1], "params": {"quantiles": [0.5]}}', model, Limits())


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_MAX_ROWS", "7")
    assert Limits.of_environment() == Limits(rows=7)
    for wrong in ("0", "-1", "many", "1e9", "²"):
        monkeypatch.setenv("SERVING_MAX_ROWS", wrong)
        with pytest.raises(ValueError, match=r"SERVING_MAX_ROWS=.*: a whole number above 0 is needed"):
            Limits.of_environment()


async def yes(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers 200."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"yes"})


class TestDoors:
    def test_without_the_token_nobody_is_answered_but_a_probe(
        self, server: Callable[[App], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        monkeypatch.setenv("SERVING_TOKEN", str(tmp_path / "token"))
        port = server(doors.guarded(yes))
        assert ask(port, None, Authorization=f"Bearer {TOKEN}")[0] == 200
        wrong = [
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Basic {TOKEN}",
            TOKEN,
            "Bearer é",
        ]
        for given_ in wrong:
            for path in ("/invocations", "/version", "/docs", "/ping/../invocations", "//ping", "/Ping"):
                status, message = ask(port, None, path, Authorization=given_)
                assert (status, TOKEN in message) == (401, False)
        assert [ask(port, None, path, "GET")[0] for path in ("/ping", "/health")] == [200, 200]

    @pytest.mark.parametrize("content", [None, "", "short", "two words of a token", "ünïcödé-ünïcödé-ünïcödé"])
    def test_a_token_that_is_none_is_refused_before_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
    ) -> None:
        if content is not None:
            (tmp_path / "token").write_text(content)
        monkeypatch.setenv("SERVING_TOKEN", str(tmp_path / "token"))
        with pytest.raises(ValueError, match=r"SERVING_TOKEN names .*token") as caught:
            doors.guarded(yes)
        assert not content or content not in str(caught.value)

    def test_a_host_that_is_not_on_the_list_is_refused_on_every_path(
        self, server: Callable[[App], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALLOWED_HOSTS", "models.example.org, *.b.example")
        port = server(doors.guarded(yes))
        for path in ("/invocations", "/ping", "/version"):
            for host in ("evil.example.org", "models.example.org.evil.org", "localhost.evil.org", "b.example", ""):
                assert ask(port, None, path, Host=host)[0] == 400
            # Those of loopback always: what is listed comes on top.
            for host in ("models.example.org", "a.b.example", "localhost:5001", "127.0.0.1", "[::1]:5001"):
                assert ask(port, None, path, Host=host)[0] == 200

    def test_what_is_no_name_of_a_host_is_refused_before_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALLOWED_HOSTS", "https://models.example.org")
        with pytest.raises(ValueError, match=r"^ALLOWED_HOSTS: .* write names without scheme and port"):
            doors.guarded(yes)
