"""What addresses on a command line share: schemes in any case, and no credentials, which process
lists and logs would show."""

from __future__ import annotations

import re

from anomalynet.errors import UsageError

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts to which clear text may carry a secret."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/", re.IGNORECASE)

_CREDENTIALS = re.compile(r"[^/]*:[^/]*@")


def scheme(target: str) -> str:
    """Of an address, in lower case; empty for what is no address, such as a file. `https:/host`,
    mistyped, is an address too."""
    found = _SCHEME.match(target)
    return found[1].lower() if found else ""


def refuse_credentials(target: str, variables: str) -> None:
    """Refuse an address with an @, without repeating any of it.

    Raises:
        UsageError: with the variables of the environment that hold credentials.
    """
    if "@" in target and (scheme(target) or _CREDENTIALS.match(target)):
        raise UsageError(
            "an address with credentials: they would be seen in process lists and logs",
            f"set {variables}; an @ that is meant is %40",
        )
