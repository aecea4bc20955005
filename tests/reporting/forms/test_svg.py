"""A figure inside a page keeps to itself."""

from __future__ import annotations

from anomalynet.reporting.forms.html import inline_svg as inline
from tests.reporting.forms.documents import FIGURE


def test_only_ids_that_are_used_stay_each_with_the_prefix_and_styles_are_attributes() -> None:
    assert inline(FIGURE, "f1-", 'a "b" & <c>') == (
        '<svg width="72pt" height="36pt" viewBox="0 0 72 36" role="img" aria-label="a '
        '&quot;b&quot; &amp; &lt;c&gt;">'
        '<defs /><g><g clip-path="url(#f1-p1)"><path d="M 0 0 L 72 36 z" fill="#ffffff" '
        'stroke="url(#f1-h2)" /></g></g>'
        '<defs><path id="f1-glyph" d="M 0 0" /><clipPath id="f1-p1"><rect width="9" height="9" '
        '/></clipPath><pattern id="f1-h2" /></defs>'
        '<use href="#f1-glyph" x="3" /></svg>'
    )


def test_text_stays_and_a_script_does_not() -> None:
    text = inline(
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><text>12 %</text></svg>',
        "f1-",
        "a",
    )
    assert text == '<svg role="img" aria-label="a"><text>12 %</text></svg>'
