"""Characters in LaTeX: how each is written, and how wide it is about."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\^{}",
    "~": r"\~{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    '"': r"\textquotedblright{}",
    "`": r"\`{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
"""What LaTeX reads as something else: as commands, or after the end of a line as its options."""

_TEXT = {
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": "`",
    "’": "'",
    "…": r"\dots{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "⚠": r"\warningsign{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{THIN SPACE}": r"\,",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "€": "EUR",
    "№": "No.",
}
_MATH = {
    "±": r"\pm",
    "×": r"\times",
    "·": r"\cdot",
    "−": "-",
    "→": r"\to",
    "←": r"\leftarrow",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "≥": r"\geq",
    "≤": r"\leq",
    "≠": r"\neq",
    "≈": r"\approx",
    "∞": r"\infty",
    "√": r"\surd",
    "°": r"^\circ",
    "⌈": r"\lceil",
    "⌉": r"\rceil",
    "∈": r"\in",
    "Σ": r"\Sigma",
    "Δ": r"\Delta",
    "Ω": r"\Omega",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "θ": r"\theta",
    "λ": r"\lambda",
    "µ": r"\mu",
    "μ": r"\mu",
    "π": r"\pi",
    "ρ": r"\rho",
    "σ": r"\sigma",
    "τ": r"\tau",
    "φ": r"\varphi",
    "χ": r"\chi",
    "ω": r"\omega",
}
_MATH |= {
    character: f"^{{{plain}}}"
    for character, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True)
}
_MATH |= {
    character: f"_{{{plain}}}"
    for character, plain in zip("₀₁₂₃₄₅₆₇₈₉₊₋ₖ", "0123456789+-k", strict=True)
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_LIGATURE = re.compile(r"([-,'`])(?=\1)")
"""Two hyphens would become a dash, two quotes another quote."""

_WIDTHS = {
    character: em
    for characters, em in (
        ("ijl.,:;'|!", 0.28),
        ("frstI()[]- ", 0.4),
        ("cez", 0.45),
        ("0123456789agkovxy–/", 0.53),
        ("bdhnpqu", 0.56),
        ("mwMW%@⚠", 1.03),
    )
    for character in characters
}
"""Of Computer Modern, rounded up, in em; what is not here has 0.78 or less."""

KNOWN = {
    **_SPECIAL,
    **_TEXT,
    **{character: rf"\ensuremath{{{command}}}" for character, command in _MATH.items()},
}
"""Every character that is not written as it is, but accented letters."""


def escaped(text: str) -> str:
    """Text as LaTeX sets it, with nothing but the fonts of every TeX; a character that these lack
    is named by its number."""
    return _LIGATURE.sub(r"\1{}", "".join(_written(character) for character in text))


def width(text: str, code: bool = False) -> float:
    """About how wide text is in Computer Modern, rather too wide than too narrow, in em."""
    return 0.53 * len(text) if code else sum(map(_em, text))


def _written(character: str) -> str:
    if character in KNOWN:
        return KNOWN[character]
    if character.isascii():
        return character if character.isprintable() else " "
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if letter.isascii() and len(accents) == 1 and accents[0] in _ACCENTS:
        return rf"\{_ACCENTS[accents[0]]}{{{letter}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"


def _em(character: str) -> float:
    return _WIDTHS.get(character, 0.78)
