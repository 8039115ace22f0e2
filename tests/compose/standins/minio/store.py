"""What the stack needs of MinIO: S3 by `rclone serve s3`, and keys that reach no bucket outside their policy.

rclone checks signatures; this proxy in front of it keeps users and policies as MinIO's admin calls set them, and
answers 403 where a key asks for a bucket that its policy does not name.
"""

import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import urllib3
from minio.crypto import decrypt

FOLDER = Path(sys.argv[1])
STATE = FOLDER / "users.json"
ROOT = os.environ["MINIO_ROOT_USER"]
ROOT_SECRET = Path(os.environ["MINIO_ROOT_PASSWORD_FILE"]).read_text().strip()
RCLONE_PORT = 9002
_lock = threading.Lock()


class Store:
    """Users with their policies, kept in a file, and the rclone that knows their keys."""

    def __init__(self):
        self.state = json.loads(STATE.read_text()) if STATE.exists() else {"users": {}, "policies": {}, "attached": {}}
        self.process = None
        self.restart()

    def restart(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        keys = {ROOT: ROOT_SECRET, **self.state["users"]}
        environment = {
            **os.environ,
            "RCLONE_CONFIG": "/tmp/rclone.conf",
            "RCLONE_AUTH_KEY": ",".join(f'"{key},{secret}"' for key, secret in keys.items()),
        }
        (FOLDER / "buckets").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["rclone", "serve", "s3", "--addr", f"127.0.0.1:{RCLONE_PORT}", str(FOLDER / "buckets")],
            env=environment,
        )
        while socket.socket().connect_ex(("127.0.0.1", RCLONE_PORT)):
            time.sleep(0.05)

    def save(self):
        STATE.write_text(json.dumps(self.state))
        STATE.chmod(0o600)

    def admin(self, command, query, body):
        if command == "add-user":
            answer = urllib3.HTTPResponse(body=io.BytesIO(body), preload_content=False)
            secret = json.loads(decrypt(answer, ROOT_SECRET))["secretKey"]
            if self.state["users"].get(query["accessKey"]) != secret:
                self.state["users"][query["accessKey"]] = secret
                self.restart()
        elif command == "add-canned-policy":
            self.state["policies"][query["name"]] = json.loads(body)
        elif command == "set-user-or-group-policy":
            if query["policyName"] not in self.state["policies"] or query["userOrGroup"] not in self.state["users"]:
                return 404
            self.state["attached"][query["userOrGroup"]] = query["policyName"]
        else:
            return 501
        self.save()
        return 200

    def allows(self, key, bucket):
        if key == ROOT:
            return True
        policy = self.state["policies"].get(self.state["attached"].get(key), {"Statement": []})
        resources = [resource for statement in policy["Statement"] for resource in statement["Resource"]]
        return any(re.fullmatch(rf"arn:aws:s3:::{re.escape(bucket)}(/\*)?", resource) for resource in resources)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path.startswith("/minio/health/"):
            return self.answer(200)
        found = re.search(r"Credential=([^/,\s]+)/", self.headers.get("Authorization", ""))
        key = found.group(1) if found else None
        if url.path.startswith("/minio/admin/v3/"):
            if key != ROOT:
                return self.answer(403)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            with _lock:
                return self.answer(STORE.admin(url.path.removeprefix("/minio/admin/v3/"), query, body))
        bucket = url.path.split("/")[1]
        if key is None or (bucket and not STORE.allows(key, bucket)) or (not bucket and key != ROOT):
            return self.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")
        return self.forward(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", RCLONE_PORT)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def answer(self, status, content=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


class Console(Handler):
    def handle_any(self):
        self.answer(200, b"stand-in console")

    do_GET = do_HEAD = handle_any


STORE = Store()
threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", 9001), Console).serve_forever, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", 9000), Handler).serve_forever()
