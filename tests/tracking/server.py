"""A W&B server in a thread: just enough of its protocol for a run to be sent, online or by `wandb
sync`."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Keeps what it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.upserts: list[dict[str, Any]] = []
        self.artifacts: list[str] = []
        self.files: list[str] = []
        self.used = 0
        """How many artifacts a run declared as its input."""
        self.history: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        """W&B's id of a run → number of the line → the line."""
        self.exit_codes: dict[str, int] = {}
        self.awake = threading.Event()
        """While it is not set, nothing is answered."""
        self.awake.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: a client that was killed hears no answer."""

    def answer(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data that a GraphQL operation gets."""
        self.asked.append(name)
        if name == "UpsertBucket":
            self.upserts.append(variables)
            run = variables["name"]
            project = {"name": variables.get("project") or "anomalynet", "entity": {"name": "us"}}
            bucket = {"id": f"id-{run}", "name": run, "displayName": run, "config": "{}"}
            bucket |= {"project": project, "historyLineCount": 0}
            return {"upsertBucket": {"bucket": bucket, "inserted": run not in self.history}}
        if name == "RunResumeStatus":
            model = {"id": "m", "name": "anomalynet", "entity": {"id": "e", "name": "us"}}
            return {"model": {**model, "bucket": self._bucket(variables["name"])}}
        if name == "CreateArtifact":
            self.artifacts.append(variables["input"]["artifactCollectionName"])
            sequence = {"artifactSequence": {"id": "s", "latestArtifact": None}}
            return {"createArtifact": {"artifact": {"id": "a", "state": "COMMITTED", **sequence}}}
        if name == "UseArtifact":
            self.used += 1
            return {"useArtifact": {"artifact": {"id": "a", "digest": "d", "state": "COMMITTED"}}}
        if name == "CreateRunFiles":
            self.files += variables["files"]
            url = f"{self.url}/storage"
            files = [{"name": file, "uploadUrl": url} for file in variables["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        if name == "ArtifactType":
            return {"project": None}
        if name == "Viewer":
            viewer = {"id": "v", "entity": "us", "username": "us", "flags": "{}"}
            return {"viewer": {**viewer, "teams": {"edges": []}}}
        return {"serverInfo": {"features": []}}

    def _bucket(self, run: str) -> dict[str, Any] | None:
        if run not in self.history:
            return None
        lines = self.history[run]
        tail = json.dumps([json.dumps(lines[max(lines)])] if lines else [])
        counts = {"historyLineCount": len(lines), "eventsLineCount": 0, "logLineCount": 0}
        summary = json.dumps(lines[max(lines)] if lines else {})
        told = {"historyTail": tail, "eventsTail": "[]", "summaryMetrics": summary}
        own = {"config": "{}", "tags": [], "wandbConfig": '{"t": 1}'}
        return {"name": run, "id": f"id-{run}", **counts, **told, **own}


class Handler(BaseHTTPRequestHandler):
    """HTTP on one side, `Server.answer` on the other."""

    server: Server

    def do_POST(self) -> None:
        """GraphQL, or a run's stream of history."""
        self.server.awake.wait()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        if self.path == "/graphql":
            match = re.search(r"(?:query|mutation)\s+(\w+)", body["query"])
            assert match
            return self._send({"data": self.server.answer(match[1], body.get("variables") or {})})
        run = self.path.split("/")[-2]
        stream = body.get("files", {}).get("wandb-history.jsonl")
        for number, line in enumerate(stream["content"] if stream else []):
            self.server.history[run][stream["offset"] + number] = json.loads(line)
        if body.get("complete"):
            self.server.exit_codes[run] = body["exitcode"]
        return self._send({"exitcode": None, "limits": {}})

    def do_PUT(self) -> None:
        """A file."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send({})

    def _send(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def wandb_server() -> Iterator[Server]:
    """A server that is there while the context lasts."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
