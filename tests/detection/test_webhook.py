"""What a webhook receives, what it refuses, and that its token and URL are never shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sinks import targets
from anomalynet.detection.sinks.targets import webhook
from anomalynet.errors import UsageError
from tests.detection.broker import until
from tests.detection.fake import event

FIRST, SECOND = event("a", 1, 11.0), event("b", 2, 12.0)


class Receiver:
    """A webhook's other end: answers the given codes, then 200."""

    def __init__(self, *codes: int) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        answers = list(codes)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests.append((self.path, dict(self.headers), body))
                code = answers.pop(0) if answers else 200
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *values: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/private"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(*codes: int) -> Receiver:
        made.append(Receiver(*codes))
        return made[-1]

    yield make
    for receiver in made:
        receiver.server.shutdown()
        receiver.server.server_close()


def test_a_webhook_gets_json_with_the_token_and_a_key_that_repeats(
    receivers: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "LONGEST_PAUSE", 0.01)
    monkeypatch.setenv("ANOMALYNET_WEBHOOK_TOKEN", "s3cret\n")  # the line's end is not part of it
    receiver = receivers(503, 302, 429)
    told: list[str] = []
    problems = ProblemLog(told.append)
    sink = webhook(receiver.url, problems)
    sink.put([FIRST])
    sink.start()
    until(lambda: not sink.pending(), "everything is delivered")
    sink.close()
    # A redirect is not followed.
    assert [path for path, _, _ in receiver.requests] == ["/hook/private"] * 4
    for _, headers, body in receiver.requests:
        assert headers["Authorization"] == "Bearer s3cret"
        assert headers["Idempotency-Key"] == f"{FIRST.id}-alarm"
        assert body == json.loads(FIRST.to_json())
    assert list(problems.counts.values()) == [3]
    shown = "".join([*told, *problems.counts])
    assert "s3cret" not in shown and "private" not in shown


def test_what_a_webhook_refuses_for_good_is_counted_and_not_sent_again(
    receivers: Callable[..., Receiver],
) -> None:
    receiver, problems = receivers(422), ProblemLog(lambda line: None)
    sink = webhook(receiver.url, problems)
    sink.put([FIRST, SECOND])
    sink.start()
    until(lambda: not sink.pending(), "everything is delivered")
    assert [body["id"] for _, _, body in receiver.requests] == [FIRST.id, SECOND.id]
    assert problems.counts == {f"alarm refused by {sink.name}": 1}
    assert sink.undelivered() == 1
    assert sink.name.startswith("webhook 127.0.0.1 ")


@pytest.mark.parametrize("token", ["s3cret", "s3cret\nX-Other: 1", "s3cret\u00e4", "s3\0cret"])
def test_a_token_in_clear_text_or_that_is_none_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setattr("os.environ", {"ANOMALYNET_WEBHOOK_TOKEN": token})
    clear = token == "s3cret"
    told = "unencrypted" if clear else "ANOMALYNET_WEBHOOK_TOKEN"
    with pytest.raises(UsageError, match=told) as refused:
        webhook(f"{'http' if clear else 'https'}://example.org/x", ProblemLog())
    assert "cret" not in str(refused.value)


BAD = ["host/secrét", "host/a secret", "host:99999/secret", "host:0/secret", "host:x/secret"]


@pytest.mark.parametrize("rest", [*BAD, "[::1/secret", "/secret"])
def test_a_url_that_cannot_be_requested_is_refused_and_not_shown(rest: str) -> None:
    with pytest.raises(UsageError, match="invalid URL") as refused:
        webhook(f"https://{rest}", ProblemLog())
    assert "secr" not in str(refused.value)
