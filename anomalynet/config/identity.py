"""A run's identity: a hash of what it computes and of its data, not of where it is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomalynet.config.schema import NON_SEMANTIC, SCHEMA_VERSION, Config


def flatten(config: Config) -> dict[str, Any]:
    """The full resolved configuration as dotted key → value."""
    return flatten_tree(asdict(config))


def flatten_tree(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key → value of nested sections, such as a run's `config.yaml`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        section = isinstance(value, Mapping)
        flat |= flatten_tree(value, f"{prefix}{key}.") if section else {prefix + key: value}
    return flat


def canonical(config: Config) -> str:
    """The part of a configuration that determines results, as JSON with sorted keys."""
    semantic = {
        key: value
        for key, value in flatten(config).items()
        if not any(key == skip or key.startswith(f"{skip}.") for skip in NON_SEMANTIC)
    }
    if config.model.name.endswith(".py"):
        # A user's own model is identified by its content, wherever the file is.
        semantic["model.name"] = Path(config.model.name).name
        semantic["model.source"] = hashlib.sha256(Path(config.model.name).read_bytes()).hexdigest()
    if config.data.name.endswith(".yaml"):
        # The content of the file is already in the data's fingerprint.
        semantic["data.name"] = Path(config.data.name).name
    return json.dumps({"schema": SCHEMA_VERSION, "config": semantic}, sort_keys=True)


def run_id(config: Config, fingerprint: str) -> str:
    """Ten hex digits: the SHA-256 of the resolved configuration, the schema version and the data's
    fingerprint."""
    return hashlib.sha256(f"{canonical(config)}\n{fingerprint}".encode()).hexdigest()[:10]
