"""A web server of a test's own, for alerts that are posted."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer


@dataclass
class Webhook:
    """What a deployment's environment must say to post there, and the texts that were posted."""

    environment: dict[str, str]
    texts: list[str] = field(default_factory=list)


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """The server, while the body runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        connection = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/hook"}
        found = Webhook({"AIRFLOW_CONN_ALERTS_WEBHOOK": json.dumps(connection), "ALERT_WEBHOOK": "alerts_webhook"})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()
