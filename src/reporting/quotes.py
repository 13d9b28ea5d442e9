"""Figures that a page quotes from a record, so that none is copied by hand.

<!-- from experiments/demo.md: By education stage -->
the table under that heading
<!-- end -->

<!-- from experiments/demo.md: Written for grade school -->
the text between fences under that heading
<!-- end -->

<!-- from experiments/demo.md: Answer -->
the paragraph that the record opens with these words in bold
<!-- end -->
"""

from __future__ import annotations

import re
from pathlib import Path

from src.core.errors import UserError

_BLOCK = re.compile(r"(?P<begin><!-- from (?P<record>\S+): (?P<what>[^\n]+?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)

_TABLE = r"(?P<found>(?:\|[^\n]*\n)+)"
_FENCED = r"(?P<found>(?P<fence>`{3,})\w*\n.*?\n(?P=fence)\n)"


def has_quotes(text: str) -> bool:
    """Whether there is a block to fill."""
    return _BLOCK.search(text) is not None


def quoted(text: str, root: Path) -> str:
    """`text` with every block as its record has it; the records' paths are from `root`.

    Raises UserError where a record, or what is quoted from it, is not there.
    """
    return _BLOCK.sub(lambda block: f"{block['begin']}{_found(block, root)}\n{block['end']}", text)


def _found(block: re.Match[str], root: Path) -> str:
    path = root / block["record"]
    if not path.is_file():
        raise UserError(
            f"There is no record {block['record']}.", "Write it: python -m src.report study=NAME record=experiments"
        )
    record, what = path.read_text(encoding="utf-8"), re.escape(block["what"])
    forms = (rf"^##+ {what}\n\n{_TABLE}", rf"^##+ {what}\n\n{_FENCED}", rf"^\*\*{what}\.\*\* (?P<found>.+?)\n\n")
    for form in forms:
        if found := re.search(form, record, re.MULTILINE | re.DOTALL):
            return found["found"].rstrip()
    raise UserError(
        f"{block['record']} has no table or text under '{block['what']}', and no paragraph '**{block['what']}.**'.",
        "Name a heading of the record.",
    )
