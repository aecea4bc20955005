"""Every case by its name, read from `cases.d`.

name-<a b> [own broker after=NAME]: the first step; <> stands for a, then for b
  the next step | write FILE TEXT | append FILE TEXT | until GLOB LINES | signal NUMBER | stdin TEXT

$WORD is a word of `words.py`, TEXT a name there or a text in quotes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.differential.case import Case, Step
from tests.differential.words import TEXTS, WORDS

_HEAD = re.compile(r"(?P<name>[\w<> -]+?)(?: \[(?P<options>.*?)\])?: (?P<steps>.*)", re.S)


def _expanded(text: str) -> str:
    while (changed := re.sub(r"\$([A-Z_0-9]+)", lambda word: WORDS[word[1]], text)) != text:
        text = changed
    return text


def _content(word: str) -> Any:
    return TEXTS[word] if word in TEXTS else word.replace("\\n", "\n")


def _step(text: str) -> Step:
    command, *rest = [shlex.split(part) for part in re.split(r"(?:^| )\| ", text)]
    found: dict[str, Any] = {"files": (), "append": ()}
    for kind, *words in rest:
        if kind in ("write", "append"):
            key = "files" if kind == "write" else kind
            found[key] = (*found[key], (words[0], _content(words[1])))
        elif kind == "until":
            found[kind] = (words[0], int(words[1]))
        else:
            found[kind] = int(words[0]) if kind == "signal" else _content(words[0])
    return Step(tuple(command), **found)


def _read(text: str) -> Iterator[Case]:
    text = _expanded(re.sub(r" \\\n +", " ", text))
    for block in re.split(r"\n(?! )", text.strip("\n")):
        match = _HEAD.fullmatch(block)
        assert match, block
        variants = re.search(r"<(.+?)>", match["name"])
        for variant in variants[1].split() if variants else [""]:
            name = re.sub("<.+?>", variant, match["name"])
            options = (match["options"] or "").replace("<>", variant).split()
            after = "".join(word.partition("=")[2] for word in options)
            steps = match["steps"].replace("<>", variant).split("\n  ")
            flags = {"own_data": "own" in options, "broker": "broker" in options}
            yield Case(name, tuple(map(_step, steps)), after, **flags)


_FOLDER = Path(__file__).parent / "cases.d"
_ALL = [case for path in sorted(_FOLDER.glob("*.txt")) for case in _read(path.read_text("utf-8"))]

CASES: dict[str, Case] = {case.name: case for case in _ALL}

assert len(CASES) == len(_ALL), "two cases share a name"
