import functools
import json
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from retraining.pipelines.climate_brazil.stations.sample import station_text, write_sample
from retraining.pipelines.climate_brazil.stations.sources import LARGEST, STATE_FILE, SourceError, refresh_files
from tracked_kedro.kedro_side.sources.rules import SourceRefusedError

FILES = {"rio": "station_rio.csv", "belem": "station_belem.csv"}


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, counts requests, and can be told to be slow or to give an error page with status 200."""

    requests: ClassVar[list[tuple[str, str]]] = []
    authorizations: ClassVar[set[str | None]] = set()
    behaviour: ClassVar[dict[str, str]] = {}

    def do_GET(self):
        type(self).requests.append(("GET", self.path))
        type(self).authorizations.add(self.headers["Authorization"])
        what = self.behaviour.get(self.path)
        if what == "slow":
            time.sleep(2)
        if what == "page":
            return self._answer(b"<html>\n<p>Service unavailable</p>\n</html>\n")
        if what == "half":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"YEAR,JAN\n1961,2")
            return None
        if what == "broken":
            return self.send_error(500)
        return super().do_GET()

    def do_HEAD(self):
        type(self).requests.append(("HEAD", self.path))
        if self.behaviour.get(self.path) == "slow":
            time.sleep(2)
        super().do_HEAD()

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for series, file in FILES.items():
        (folder / file).write_text(station_text(series))
    return folder


@pytest.fixture
def server(source):
    Handler.requests, Handler.authorizations, Handler.behaviour = [], set(), {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(source)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def statuses(report):
    return {one.series: one.status for one in report.files}


def test_without_a_source_there_is_nothing_to_do(tmp_path, caplog):
    caplog.set_level("INFO")
    for pattern in (None, ""):
        report = refresh_files(pattern, FILES, tmp_path / "raw")
        assert report.files == ()
        assert "nothing to refresh" in report.message
    assert "nothing to refresh" in caplog.text
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("kind", ["http", "folder", "file url"])
def test_only_what_changed_is_fetched(kind, server, source, tmp_path):
    pattern = {
        "http": f"{server}/{{file}}",
        "folder": f"{source}/{{file}}",
        "file url": f"file://{source}/{{file}}",
    }
    refresh = functools.partial(refresh_files, pattern[kind], FILES, tmp_path / "raw")
    first = refresh()
    assert statuses(first) == {"rio": "new", "belem": "new"}
    assert "2 new, 0 updated, 0 unchanged, 0 failed" in first.message
    for series, file in FILES.items():
        assert (tmp_path / "raw" / file).read_text() == station_text(series)

    Handler.requests.clear()
    assert statuses(refresh()) == {"rio": "unchanged", "belem": "unchanged"}
    assert not [one for one in Handler.requests if one[0] == "GET"]

    text = station_text("rio") + "2020,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\n"
    (source / FILES["rio"]).write_text(text)
    again = refresh()
    assert statuses(again) == {"rio": "updated", "belem": "unchanged"}
    assert [one.series for one in again.changed] == ["rio"]
    assert (tmp_path / "raw" / FILES["rio"]).read_text() == text
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == sorted([STATE_FILE, *FILES.values()])


def test_a_local_file_that_was_edited_is_brought_back(source, tmp_path):
    refresh = functools.partial(refresh_files, f"{source}/{{file}}", FILES, tmp_path / "raw")
    refresh()
    (tmp_path / "raw" / FILES["rio"]).write_text("mine")
    assert statuses(refresh()) == {"rio": "updated", "belem": "unchanged"}


def test_a_touched_file_with_the_same_content_is_unchanged(source, tmp_path):
    refresh = functools.partial(refresh_files, f"{source}/{{file}}", FILES, tmp_path / "raw")
    refresh()
    (source / FILES["rio"]).write_text(station_text("rio"))
    assert statuses(refresh()) == {"rio": "unchanged", "belem": "unchanged"}


def test_a_lost_or_broken_state_file_costs_a_download_and_no_more(source, tmp_path):
    refresh = functools.partial(refresh_files, f"{source}/{{file}}", FILES, tmp_path / "raw")
    refresh()
    for content in ("{", "[]"):
        (tmp_path / "raw" / STATE_FILE).write_text(content)
        assert statuses(refresh()) == {"rio": "unchanged", "belem": "unchanged"}
    assert set(json.loads((tmp_path / "raw" / STATE_FILE).read_text())) == set(FILES.values())


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("page", "UnreadableFileError: station_rio.csv: the file is a page or XML, no table"),
        ("half", "15 of 5000 bytes"),
        ("broken", "500"),
        ("slow", "TimeoutError"),
    ],
)
def test_a_failed_download_leaves_the_old_file_and_says_so(server, source, tmp_path, caplog, behaviour, reason):
    refresh = functools.partial(refresh_files, f"{server}/{{file}}", FILES, tmp_path / "raw", timeout=0.5)
    refresh()
    (source / FILES["rio"]).write_text(station_text("rio") + "2020,1,1\n")
    Handler.behaviour = {"/station_rio.csv": behaviour}
    report = refresh()
    assert statuses(report) == {"rio": "failed", "belem": "unchanged"}
    assert reason in report.failed[0].reason
    assert "the old file stays" in report.failed[0].reason
    assert "station_rio.csv: refresh failed" in caplog.text
    assert (tmp_path / "raw" / FILES["rio"]).read_text() == station_text("rio")
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == sorted([STATE_FILE, *FILES.values()])
    # The failure is not remembered as a success.
    Handler.behaviour = {}
    assert statuses(refresh())["rio"] == "updated"


def test_a_file_that_the_source_lacks_fails_alone(server, tmp_path):
    report = refresh_files(f"{server}/{{file}}", FILES | {"x": "station_x.csv"}, tmp_path / "raw")
    assert statuses(report) == {"rio": "new", "belem": "new", "x": "failed"}
    assert "404" in report.failed[0].reason
    assert "there is no old file" in report.failed[0].reason
    assert not (tmp_path / "raw" / "station_x.csv").exists()


@pytest.mark.parametrize(("content", "reason"), [("", "the file is empty"), ("YEAR,JAN\n1961,1\n", "no header")])
def test_what_is_no_station_file_is_refused(source, tmp_path, content, reason):
    (source / FILES["rio"]).write_text(content)
    report = refresh_files(f"{source}/{{file}}", FILES, tmp_path / "raw")
    assert reason in report.failed[0].reason
    assert not (tmp_path / "raw" / FILES["rio"]).exists()


def test_a_server_that_is_down_is_named(tmp_path):
    report = refresh_files("http://127.0.0.1:9/{file}", FILES, tmp_path / "raw", timeout=2)
    assert statuses(report) == {"rio": "failed", "belem": "failed"}
    assert "Connect" in report.failed[0].reason


def test_a_file_that_may_not_be_read_or_is_too_large_costs_itself_alone(source, tmp_path, monkeypatch):
    (tmp_path / "theirs").write_text("mine")
    (source / FILES["rio"]).unlink()
    (source / FILES["rio"]).symlink_to(tmp_path / "theirs")
    monkeypatch.setenv("ALLOWED_SOURCES", str(source))
    pattern = f"{source}/{{file}}"
    report = refresh_files(pattern, FILES, tmp_path / "raw")
    assert statuses(report) == {"rio": "failed", "belem": "new"}
    assert "ALLOWED_SOURCES" in report.failed[0].reason
    with pytest.raises(SourceRefusedError, match="ALLOWED_SOURCES"):
        refresh_files(pattern, {"rio": FILES["rio"]}, tmp_path / "raw")
    with (source / FILES["belem"]).open("ab") as file:
        file.truncate(LARGEST + 1)
    report = refresh_files(pattern, FILES, tmp_path / "raw")
    assert statuses(report) == {"rio": "failed", "belem": "failed"}
    assert "no monthly values of stations" in report.failed[1].reason


def test_the_whole_refresh_has_a_time_limit(server, tmp_path):
    Handler.behaviour = {"/station_rio.csv": "slow"}
    report = refresh_files(f"{server}/{{file}}", FILES, tmp_path / "raw", timeout=0.3, total_timeout=0.2)
    assert statuses(report) == {"rio": "failed", "belem": "failed"}
    assert "not tried: the refresh has used up its 0.2 seconds" in report.failed[1].reason


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("https://host/stations/", "lacks {file}"),
        ("gopher://host/{file}", "gopher://host: this scheme cannot be read; use https://, s3:// or a folder"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(tmp_path, pattern, message):
    with pytest.raises(ValueError, match=message):
        refresh_files(pattern, FILES, tmp_path / "raw", configured=[pattern])


@pytest.mark.parametrize(
    "pattern", ["http://me:secret@127.0.0.1:9/{file}", "http://127.0.0.1:9/{file}?signature=secret"]
)
def test_credentials_in_the_address_are_refused_and_not_shown(tmp_path, caplog, pattern):
    with pytest.raises(SourceRefusedError, match="must not hold a user, a password") as raised:
        refresh_files(pattern, FILES, tmp_path / "raw")
    assert "secret" not in f"{raised.value}{caplog.text}"


def test_credentials_go_to_what_configuration_names_and_nowhere_else(server, tmp_path, monkeypatch):
    given = {"headers": {"Authorization": "Bearer secret"}}
    pattern = f"{server}/{{file}}"
    refresh_files(pattern, FILES, tmp_path / "elsewhere", credentials=given)
    assert Handler.authorizations == {None}
    monkeypatch.setenv("ALLOWED_SOURCES", "")
    report = refresh_files(pattern, FILES, tmp_path / "raw", configured=[pattern], credentials=given)
    assert statuses(report) == {"rio": "new", "belem": "new"}
    assert Handler.authorizations == {None, "Bearer secret"}


def test_real_files_do_not_join_the_simulated_sample(source, tmp_path):
    write_sample(tmp_path / "sample", {"rio": {"file": "station_rio.csv"}})
    with pytest.raises(SourceError, match="simulated sample"):
        refresh_files(f"{source}/{{file}}", FILES, tmp_path / "sample")


def test_a_folder_that_cannot_be_made_is_named(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be made"):
        refresh_files(f"{source}/{{file}}", FILES, tmp_path / "file" / "raw")
