r"""Problems and solutions as HTML: code blocks set as code, `\boxed{}` as a box, the rest as it was written.

LaTeX is shown as text. A typesetter would need a script from elsewhere, and the reader judges what the model wrote.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from src.text.boxed import boxed

_FENCE = re.compile(r"```(\w*)[ \t]*\n(.*?)(?:\n```|$)", re.S)
LONGEST = 2_400  # characters of one text
EXCERPT = 280


def to_html(text: str) -> Markup:
    """Escape and set a text; one that is very long is cut, and says so."""
    cut = len(text) > LONGEST
    text = text[:LONGEST].strip()
    parts, position = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_paragraphs(text[position : fence.start()]), _block(fence[1], fence[2])]
        position = fence.end()
    parts.append(_paragraphs(text[position:]))
    if cut:
        parts.append(Markup('<p class="quiet">… cut here</p>'))
    return Markup("").join(parts)


def excerpt(text: str) -> str:
    """The opening of a passage on one line, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[:EXCERPT].rsplit(" ", 1)[0] + " …"


def _block(language: str, code: str) -> Markup:
    label = Markup('<span class="lang">{}</span>').format(language) if language else Markup("")
    return Markup("<pre>{}<code>{}</code></pre>").format(label, code)


def _paragraphs(text: str) -> Markup:
    blocks = (block for block in re.split(r"\n\s*\n", text) if block.strip())
    return Markup("").join(Markup("<p>{}</p>").format(_boxes(block.strip())) for block in blocks)


def _boxes(text: str) -> Markup:
    marked = escape(text)
    for content in dict.fromkeys(boxed(text)):
        for opener in ("\\boxed{", "\\fbox{"):
            marked = marked.replace(escape(f"{opener}{content}}}"), Markup('<b class="boxed">{}</b>').format(content))
    return Markup(marked)
