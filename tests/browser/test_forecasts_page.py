"""The forecasts page in a real browser, served by a real API server that reads a real tracking server."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import polars as pl
import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from operations.native.ports import HOST, free_port
from tests.deployment import deployment_environment
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.rents import write_project
from tests.fixtures.stored_forecasts import MODEL, StoredForecasts, store_months
from tests.fixtures.templates import Migrate

pytestmark = pytest.mark.slow
PASSWORD = "a password of this test"
PAGE = "/forecasts/rents"
MOVE_AND_LINES = re.compile(r"^M[\d.]+ [\d.]+.*L")


@dataclass
class Site:
    """An Airflow with logins, and a tracking server that is started later."""

    airflow: Airflow
    folder: Path
    mlflow_port: int
    mlflow: subprocess.Popen[bytes] | None = None
    stored: StoredForecasts | None = None

    @property
    def tracking(self) -> str:
        return f"http://{HOST}:{self.mlflow_port}"

    def start_mlflow(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self.mlflow_port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        command += ["--artifacts-destination", (self.folder / "artifacts").as_uri()]
        with (self.folder / "mlflow.log").open("w") as log:
            environment = {**self.airflow.settings, "MLFLOW_TRACKING_URI": ""}
            self.mlflow = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.airflow.wait(self._mlflow_answers, within=90)

    def _mlflow_answers(self) -> bool:
        try:
            return urlopen(f"{self.tracking}/health", timeout=2).status == 200
        except OSError:
            return False

    def get(self, path: str, login: bool = True, accept: str = "*/*") -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an address; redirects are not followed."""
        connection = HTTPConnection(HOST, self.airflow.port, timeout=60)
        authorization = {"Authorization": f"Bearer {self.airflow.token}"} if login else {}
        connection.request("GET", path, headers={"Accept": accept, **authorization})
        answer = connection.getresponse()
        found = answer.status, answer.read(), {key.lower(): value for key, value in answer.getheaders()}
        connection.close()
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, migrate: Migrate) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    port = free_port()
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({"admin": PASSWORD}))
    environment = {
        **deployment_environment(folder / "var"),
        "KEDRO_PROJECT_PATH": str(write_project(folder / "lettings")),
        "MLFLOW_TRACKING_URI": f"http://{HOST}:{port}",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
    }
    migrate(environment)
    site = Site(Airflow(folder / "logs", environment, login=("admin", PASSWORD)), folder, port)
    try:
        site.airflow.start("api-server")
        yield site
    finally:
        site.airflow.stop(*site.airflow.processes)
        if site.mlflow is not None:
            site.mlflow.terminate()
            site.mlflow.wait(20)


@pytest.fixture(scope="module")
def filled(site: Site) -> Site:
    """The site with six months of twelve series."""
    if site.mlflow is None:
        site.start_mlflow()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", site.tracking)
        site.stored = store_months(MlflowClient(site.tracking), 6, 12)
    time.sleep(11)  # what the page knew before is kept for ten seconds
    return site


@pytest.fixture
def page(filled: Site, browser: Browser) -> Iterator[Page]:
    """A browser that is logged in; whatever it asks of another host, or complains about, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "_token", "value": filled.airflow.token, "url": filled.airflow.address}])
    page = context.new_page()
    complaints: list[str] = []

    def collect(message: ConsoleMessage) -> None:
        # Airflow's own pages, and those of MLflow, may say what they like; Chromium says this of Airflow's frame.
        ours = re.search("/forecasts|/to-mlflow", message.location["url"]) and "allow-same-origin" not in message.text
        if message.type in ("error", "warning") and ours:
            complaints.append(message.text)

    page.on("console", collect)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: complaints.append(asked.url) if not is_ours(asked.url, filled) else None)
    yield page
    context.close()
    assert complaints == []


def is_ours(address: str, site: Site) -> bool:
    return address.startswith((site.airflow.address, "data:", "blob:"))


# In the order in which a deployment meets them: no tracking server, an empty one, one with runs.
def test_a_tracking_server_that_is_down_is_reported(site: Site):
    status, text, _ = site.get("/forecasts/")
    assert status == 503
    assert b"The tracking server does not answer" in text
    assert b"MLFLOW_TRACKING_URI" in text


def test_an_empty_store_names_the_next_command(site: Site):
    site.start_mlflow()
    status, text, _ = site.get("/forecasts/")
    assert status == 200
    assert b"No forecasts yet" in text
    assert b"make retrain" in text


@pytest.mark.parametrize(
    "path",
    [
        "/forecasts/",
        "/forecasts/rents",
        "/forecasts/rents/series/s00001",
        "/forecasts/rents/series/s00001/past",
        "/forecasts/rents/download/overview.csv",
        "/to-mlflow/",
        "/to-mlflow/run/0000",
        "/to-mlflow/picture/0000/figures/one.png",
    ],
)
def test_nobody_sees_anything_without_a_login(filled: Site, path: str):
    status, text, headers = filled.get(path, login=False)
    assert (status, b"Bel" in text) == (401, False)
    status, _, headers = filled.get(f"{path}?month=2019-08", login=False, accept="text/html")
    assert status == 303
    assert headers["location"].startswith(f"/api/v2/auth/login?next={quote(path, safe='')}%3Fmonth")


@pytest.mark.parametrize("path", ["", "/run/0000/children?series=a%20b,c", "/picture/0000/figures/a%20b.png"])
def test_addresses_of_earlier_versions_lead_on(filled: Site, path: str):
    status, _, headers = filled.get(f"/forecasts/mlflow{path}", login=False)
    assert (status, headers["location"]) == (308, f"/to-mlflow{path or '/'}")


def test_a_picture_of_a_run_is_shown_and_nothing_else_of_it(filled: Site, tmp_path: Path):
    assert filled.stored is not None
    client, run_id = filled.stored.client, next(iter(filled.stored.parents.values()))
    (tmp_path / "one.png").write_bytes(b"\x89PNG")
    client.log_artifact(run_id, str(tmp_path / "one.png"), "figures")
    status, content, headers = filled.get(f"/to-mlflow/picture/{run_id}/figures/one.png")
    assert (status, content, headers["content-type"]) == (200, b"\x89PNG", "image/png")
    refused = ["figures/other.png", "forecasts/overview.parquet", "..%2Fone.png", "figures/../../one.png"]
    for path in refused:
        assert filled.get(f"/to-mlflow/picture/{run_id}/{path}")[0] == 404, path


def test_every_answer_forbids_what_is_from_outside(filled: Site):
    for path in (PAGE, f"{PAGE}/series/s00001", f"{PAGE}/series/nobody", "/to-mlflow/", "/to-mlflow/run/nobody"):
        policy = filled.get(path)[2]["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/forecasts/rents/series/s0001", "there is &#39;s000"),
        ("/forecasts/rents?month=2018-01", "there is 2019-"),
        ("/forecasts/nothing", "no experiment"),
        ("/forecasts/rents/series/s00001?month=<script>", "&lt;script&gt;"),
        ("/to-mlflow/run/0000", "no run 0000"),
    ],
)
def test_what_is_not_there_is_named(filled: Site, path: str, hint: str):
    status, text, _ = filled.get(path.replace("<", "%3C").replace(">", "%3E"))
    assert status == 404
    assert hint in text.decode()
    assert b"<script>" not in text


def test_a_login_leads_back_to_the_page(filled: Site, browser: Browser):
    page = browser.new_page()
    page.goto(f"{filled.airflow.address}{PAGE}?month=2019-08")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{PAGE}?month=2019-08")
    expect(page.get_by_role("heading", name="Forecasts")).to_be_visible()
    page.close()


def test_overview(filled: Site, page: Page):
    page.goto(f"{filled.airflow.address}/forecasts/")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(12)
    # Text of the data is text, whatever it holds.
    first = rows.filter(has_text="Belém <b>")
    expect(first).to_contain_text("2019-11")
    expect(first.locator("svg.spark path.line")).to_have_attribute("d", MOVE_AND_LINES)
    expect(page.locator(".facts")).to_contain_text("challenger, version 2 · champion is version 1")
    expect(page.locator(".facts")).to_contain_text("simulated")
    for state in ("stale", "degraded", "quarantined"):
        expect(page.locator(f"tbody .badge.{state}")).to_have_count(1)
    expect(page.get_by_text("column JAN is text")).to_be_visible()
    child = filled.stored.children["2019-10", "s00000"]
    expect(first.get_by_role("link", name="run")).to_have_attribute("href", f"/to-mlflow/run/{child}")


def test_search_sort_and_month(filled: Site, page: Page):
    page.goto(f"{filled.airflow.address}{PAGE}")
    rows = page.locator("tbody tr")
    page.get_by_label("Search").type("belem")
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Search")).to_be_focused()
    page.get_by_label("Search").fill("nothing like that")
    expect(page.get_by_text("No series is like that")).to_be_visible()
    page.get_by_label("Search").fill("")
    expect(rows).to_have_count(12)
    page.get_by_role("link", name="RMSE").click()
    expect(page.get_by_role("columnheader", name="RMSE")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="RMSE").click()
    expect(rows.first).to_contain_text("0.95")
    page.get_by_label("Status").select_option("attention")
    expect(rows).to_have_count(3)
    page.locator("#month").select_option("2019-09")
    expect(page.locator(".facts")).to_contain_text("champion, version 1")
    assert "state=attention" in page.url
    page.get_by_label("Status").select_option("")
    expect(page.locator("tbody .badge.finished")).to_have_count(9)
    page.go_back()
    expect(rows).to_have_count(3)


def test_the_fleet_at_a_glance(filled: Site, page: Page):
    page.goto(f"{filled.airflow.address}{PAGE}")
    rows = page.locator(".scroll:not(.groups) tbody tr")
    page.get_by_text("The fleet at a glance").click()
    page.get_by_role("link", name="−0.1 to 0:").click()
    expect(page.get_by_role("status")).to_have_text("2 of 12 series")
    expect(rows).to_have_count(2)
    page.get_by_label("Group by").select_option("region")
    page.locator(".groups").get_by_role("link", name="north").click()
    page.wait_for_url("**skill=-0.1%3A0&where=region%3Anorth&by=region")
    expect(rows).to_have_count(2)
    page.get_by_title("Take this filter away").first.click()
    expect(rows).to_have_count(8)
    with page.expect_download() as saved:
        page.get_by_text("Download: these 8 rows").get_by_role("link", name="CSV").first.click()
    assert pl.read_csv(saved.value.path())["region"].to_list() == ["north"] * 8
    page.get_by_title("Take this filter away").click()
    expect(rows).to_have_count(12)
    page.get_by_text("The fleet at a glance").click()
    page.get_by_role("link", name="stale:").click()
    expect(rows).to_have_count(1)


def test_a_month_is_a_click_away(filled: Site, page: Page):
    page.goto(f"{filled.airflow.address}{PAGE}")
    months = page.get_by_role("group", name="CRPS by month").get_by_role("link")
    expect(months).to_have_count(6)
    months.filter(has_text="2019-09: CRPS 0.310, promoted").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".facts")).to_contain_text("made after 2019-09")


def test_a_run_that_is_under_way_is_announced(filled: Site, page: Page):
    client = filled.stored.client
    experiment = client.get_experiment_by_name(MODEL).experiment_id
    ids = {"airflow.dag_id": "rents", "airflow.dag_run_id": "manual__now"}
    run = client.create_run(experiment, tags={"cutoff": "2019-12-01", **ids}).info.run_id
    client.log_metric(run, "series_done", 7)
    time.sleep(11)  # what the page knew before is kept for ten seconds
    try:
        for path in ("", "/series/s00001"):
            page.goto(f"{filled.airflow.address}{PAGE}{path}")
            note = page.locator(".note")
            expect(note).to_contain_text("A run for 2019-11 is under way since")
            expect(note).to_contain_text("7 series done; shown is the last complete one, of 2019-10")
            expect(note.get_by_role("link")).to_have_attribute("href", "/dags/rents/runs/manual__now")
    finally:
        client.set_terminated(run, "KILLED")


def test_what_a_fit_says_of_itself_is_in_words(filled: Site, page: Page):
    page.goto(f"{filled.airflow.address}{PAGE}/series/s00001")
    expect(page.locator("dl.judged")).to_contain_text("Pareto k-hat")
    expect(page.locator("dl.judged .badge.good")).to_have_text("good")
    # Something to press within a picture is hidden from who cannot see it.
    assert page.locator("[role=img] :is(a, button, [tabindex])").count() == 0


def test_pages_that_say_no_lead_back(filled: Site):
    for path in (f"{PAGE}/series/nobody", f"{PAGE}/no/such/page", "/to-mlflow/run/0000"):
        status, text, _ = filled.get(path, accept="text/html")
        assert status == 404
        assert b">To Airflow</a>" in text
        assert (b">To the overview</a>" in text) == path.startswith("/forecasts")


def expect_traces(page: Page, *names: str) -> None:
    expect(page.locator("#plot .legendtext")).to_have_text([*names, "past forecasts"])


def test_series_page_and_its_slider(filled: Site, page: Page):
    page.goto(f"{filled.airflow.address}{PAGE}")
    page.get_by_role("link", name="Série 00001").focus()
    page.keyboard.press("Enter")
    fitted = ["in-sample 80 %", "in-sample fit", "held out 80 %", "held-out forecast"]
    fan = ["95 %", "80 %", "50 %", "forecast"]
    expect_traces(page, *fitted, *fan, "champion, version 1 (2019-09)", "observed")
    expect(page.locator("#components .scatterlayer .trace")).to_have_count(2)
    expect(page.locator("dl.pairs")).to_contain_text("k_hat")
    past = page.locator("#past tbody tr")
    expect(past).to_have_count(5)
    expect(past.first).to_contain_text("2019-10")

    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**month=2019-08")
    expect(page.locator("#slider-month")).to_have_text("2019-08")
    expect(page.get_by_role("slider")).to_be_focused()
    others = ["challenger, version 2 (2019-10)", "champion, version 1 (2019-09)"]
    expect_traces(page, *fitted, *fan, *others, "observed", "observed since")
    happened = page.locator("h2:has-text('and what happened') ~ .scroll").first.locator("tbody tr")
    expect(happened).to_have_count(2)
    expect(happened.first).to_contain_text("2019-09")


def test_downloads_hold_what_was_stored(filled: Site):
    status, csv, headers = filled.get(f"{PAGE}/download/forecasts.csv?month=2019-08&series=s00001")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="rents-2019-08-forecasts-s00001.csv"'
    stored = filled.stored.client.download_artifacts(filled.stored.parents["2019-08"], "forecasts/forecasts.parquet")
    wanted = pl.read_parquet(stored).filter(series="s00001")
    assert pl.read_csv(io.BytesIO(csv), try_parse_dates=True)["q90"].to_list() == wanted["q90"].to_list()
    parquet = filled.get(f"{PAGE}/download/forecasts.parquet?month=2019-08")[1]
    assert pl.read_parquet(io.BytesIO(parquet)).equals(pl.read_parquet(stored))
    assert pl.read_csv(io.BytesIO(filled.get(f"{PAGE}/download/overview.csv")[1])).height == 12


def test_inside_airflow_and_as_dark_as_it(filled: Site, page: Page):
    page.add_init_script("localStorage.setItem('theme', 'dark')")
    page.goto(f"{filled.airflow.address}/plugin/forecasts")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Forecasts")).to_be_visible()
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    assert frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(16, 21, 29)"
    with page.expect_popup() as opened:
        frame.get_by_role("row", name="Série 00001").get_by_role("link", name="run").click()
    run = filled.stored.children["2019-10", "s00001"]
    opened.value.wait_for_url(f"{filled.tracking}/**/runs/{run}?*", wait_until="commit")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Browse").click()
        page.get_by_role("menuitem", name="MLflow").click()
    opened.value.wait_for_url(f"{filled.tracking}/#/experiments?*", wait_until="commit")


def test_phone(filled: Site, page: Page):
    page.set_viewport_size({"width": 375, "height": 700})
    for path in ("", "/series/s00001"):
        page.goto(f"{filled.airflow.address}{PAGE}{path}")
        expect(page.locator("h1")).to_be_visible()
        if path:
            expect(page.locator("#past tbody")).to_be_visible()
            expect(page.locator(".modebar-btn")).to_have_count(0)
        else:
            for column in ("skill_vs_seasonal_naive", "state"):
                box = page.locator(f"th[data-column={column}]").bounding_box()
                assert box is not None and box["x"] + box["width"] <= 375, column
        assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_ways_to_mlflow(filled: Site):
    parent = filled.stored.parents["2019-09"]
    experiment = filled.stored.client.get_run(parent).info.experiment_id
    run = f"{filled.tracking}/#/experiments/{experiment}/runs/"
    child = filled.stored.children["2019-09", "s00003"]

    def leads_to(path: str) -> str:
        status, _, headers = filled.get(f"/to-mlflow{path}")
        assert status == 303
        return headers["location"]

    assert leads_to(f"/run/{parent}").startswith(f"{run}{parent}")
    assert leads_to(f"/report/{parent}").startswith(f"{run}{parent}/artifacts/report/report.html")
    assert leads_to(f"/run/{parent}/children?series=s00003").startswith(f"{run}{child}")
    assert child in leads_to(f"/run/{parent}/children?series=s00003,s00004")
    assert leads_to(f"/version/{parent}") == f"{filled.tracking}/#/models/{MODEL}/versions/1"
    status, text, _ = filled.get(f"/to-mlflow/version/{filled.stored.parents['2019-05']}")
    assert (status, b"registered no model version" in text) == (404, True)
