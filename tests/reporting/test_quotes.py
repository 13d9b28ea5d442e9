from pathlib import Path

import pytest

from src.core.errors import UserError
from src.reporting.quotes import quoted

ROOT = Path(__file__).parents[2]
RECORD = "# demo\n\n**Answer.** It helps:\n61 %.\n\n## Accuracy\n\n| a | b |\n| --- | ---: |\n| x | 1 |\n\nNote.\n"
WRITTEN = "````text\nPrint it.\n\n```python\nprint(1)\n```\n````"
RECORD += f"\n### Written for AMC 8\n\n{WRITTEN}\n\n## Jobs\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "demo.md").write_text(RECORD)
    return tmp_path


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("Accuracy", "| a | b |\n| --- | ---: |\n| x | 1 |"),
        ("Answer", "It helps:\n61 %."),
        ("Written for AMC 8", WRITTEN),
    ],
)
def test_a_block_takes_the_record_s_own_words(root: Path, what: str, text: str) -> None:
    page = f"Before.\n<!-- from demo.md: {what} -->\nold\nlines\n<!-- end -->\nAfter."
    told = quoted(page, root)
    assert told == f"Before.\n<!-- from demo.md: {what} -->\n{text}\n<!-- end -->\nAfter."
    assert quoted(told, root) == told


@pytest.mark.parametrize(("name", "complaint"), [("none.md: Accuracy", "no record none.md"), ("demo.md: Cost", "Cost")])
def test_what_is_not_there_is_named(root: Path, name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        quoted(f"<!-- from {name} -->\n<!-- end -->", root)


@pytest.mark.parametrize("page", ["README.md", "experiments/README.md"])
def test_the_figures_of_a_page_are_those_of_the_records(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- from " in text
    assert quoted(text, (ROOT / page).parent) == text, f"python -m src.report quotes={page}"
