"""Alarms as POST requests."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from anomalynet.detection.sinks.delivery import Delivery, RefusedError, named
from anomalynet.detection.stream.addresses import LOCAL, refuse_credentials
from anomalynet.detection.stream.notices import Notices
from anomalynet.errors import UsageError

TIMEOUT = 10.0
"""Seconds for each step of a request."""

REFUSED = frozenset((400, 410, 413, 422))

TOKEN = "ANOMALYNET_WEBHOOK_TOKEN"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn POST into GET, and take the token to another host."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        return None


def webhook(url: str, notices: Notices) -> Delivery:
    """A sink that POSTs each event as JSON; `Idempotency-Key` is the same when one is sent again.
    The token is sent as a bearer's.

    Raises:
        UsageError: no URL, one with credentials, or a token that is none or would travel in clear
        text; nothing of them is shown.
    """
    host, scheme = _checked(url)
    token = os.environ.get(TOKEN, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise UsageError(
            f"{TOKEN}: holds what no header can: other than printable ASCII",
            "set it to the token alone",
        )
    if token and scheme == "http" and host not in LOCAL:
        raise UsageError(f"webhook {host}: {TOKEN} would be sent in clear text", "use https://")
    headers = {"Content-Type": "application/json", "User-Agent": "anomalynet"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    opener = urllib.request.build_opener(_NoRedirect)

    def send(key: str, line: str) -> None:
        request = urllib.request.Request(
            url, line.encode(), headers | {"Idempotency-Key": key}, method="POST"
        )
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                answer.read(1 << 16)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in REFUSED:
                raise RefusedError(f"HTTP {error.code}") from None
            raise OSError(f"HTTP {error.code}") from None
        except http.client.HTTPException as error:
            raise OSError(type(error).__name__) from None

    return Delivery(named(f"webhook {host}", url), send, notices)


def _checked(url: str) -> tuple[str, str]:
    """Host and scheme of what can be requested."""
    refuse_credentials(url, TOKEN)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    # what urllib would refuse, and repeat, when there is an alarm to send
    if (
        not host
        or port == 0
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or parts.scheme not in ("http", "https")
    ):
        raise UsageError(
            "--alarms: not a URL of a webhook", "https://host[:port]/path; other characters as %XX"
        )
    return host, parts.scheme
