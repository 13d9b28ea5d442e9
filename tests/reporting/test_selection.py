"""What the report tells of a selection."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.core.records import Score, write_table
from src.reporting import plots, write_report
from src.reporting import selection as module
from src.reporting.collect import Manifest, collect
from src.reporting.selection import Selection, selection
from src.reporting.table import Table
from tests.reporting.fake_store import FakeJob, build

pytestmark = pytest.mark.slow

Told = Callable[..., Selection]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    build(tmp_path, "s", [FakeJob("a")])
    (found,) = (job.manifest("select") for job in collect(tmp_path, "s").jobs)
    assert found
    return found


@pytest.fixture
def told(manifest: Manifest) -> Told:
    def write(**fidelity: Any) -> Selection:
        (manifest.path / "fidelity.json").write_text(json.dumps(fidelity))
        return selection(manifest)

    return write


def texts(table: Table) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row) for row in table.rows]


def test_a_correlation_says_of_what_with_what(told: Told) -> None:
    (pairs,) = told(
        spearman={"response_characters": -0.214, "loss": 0.336, "gsm8k with math": 0.9},
        agreement={"norm of the direction, response tokens": -0.62},
    ).correlations
    assert texts(pairs) == [
        ("score with response characters", "−0.21"),
        ("score with loss", "+0.34"),
        ("gsm8k with math", "+0.90"),
        ("norm of the direction with response tokens", "−0.62"),
    ]


def test_agreement_has_three_decimals_and_the_number_of_candidates(told: Told) -> None:
    names = ("exact scores, dimension 8,192, as used", "exact scores, seed 1", "checkpoint 2 alone")
    (agreement,) = told(agreement=dict(zip(names, (0.9763, -0.0004, 0.98), strict=True))).correlations
    assert texts(agreement) == [
        ("exact with dimension 8,192, as used", "0.976", "64"),
        ("exact with seed 1", "0.000", "64"),
        ("all with checkpoint 2 alone", "0.980", "all"),
    ]


def test_agreement_on_an_unknown_number_of_candidates_still_stands(manifest: Manifest, told: Told) -> None:
    manifest.metrics.clear()
    (agreement,) = told(agreement={"exact scores, seed 1": 0.9}).correlations
    assert texts(agreement) == [("exact with seed 1", "0.900", "–")]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_correlation_that_is_undefined_is_a_dash_that_says_why(told: Told, value: float | None) -> None:
    found = told(spearman={"loss": value}, agreement={"exact scores, seed 1": value})
    cells = [table.rows[0][1] for table in found.correlations]
    assert [cell.text for cell in cells] == ["–", "–"]
    assert all("all of one side are the same" in cell.trace and "select " in cell.trace for cell in cells)


def test_candidates_without_a_score_are_counted_by_reason(told: Told) -> None:
    (skipped,) = told(skipped={"gradient is not finite": 1, "no response tokens": 1200}).shares
    assert texts(skipped) == [("gradient is not finite", "1"), ("no response tokens", "1,200")]
    assert told(skipped={}).shares == ()


def test_what_is_not_in_the_known_form_is_left_out(told: Told) -> None:
    found = told(spearman={"loss": "high"}, agreement=[0.9], skipped={"x": None}, selected={"stage": 3})
    assert found.correlations == found.shares == ()


def test_every_number_links_to_the_selection(manifest: Manifest) -> None:
    found = selection(manifest)
    cells = [cell for table in (*found.correlations, *found.shares) for row in table.rows for cell in row[1:]]
    assert len(cells) > 30
    assert all(cell.sources == (manifest,) for cell in cells if cell.text != "all")


def test_one_of_each_part_of_the_ranking_is_shown_first(manifest: Manifest) -> None:
    found = selection(manifest)
    assert [(shown.end, shown.score, shown.selected) for shown in found.samples] == [
        ("best", 0.112, True),
        ("in the middle", 0.02, False),
        ("worst", -0.07, False),
    ]
    assert [(shown.end, shown.score) for shown in found.further] == [
        ("high", 0.108),
        ("high", 0.101),
        ("in the middle", 0.021),
        ("in the middle", 0.019),
        ("low", -0.05),
        ("low", -0.06),
    ]


def test_the_page_and_the_record_hold_every_table(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    page = write_report(tmp_path, "s")
    told = (
        "Rank correlation of",
        "Agreement of scores",
        "n: the candidates",
        "Without a score",
        "Of the chosen %",
        "0.976",
        "no response tokens",
    )
    for text in (page.read_text(), page.with_name("report.md").read_text()):
        assert [part for part in told if part not in text] == []
    assert 'title="none: fewer than three values' in page.read_text()


def test_the_first_of_each_part_are_open_and_the_others_folded(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    text = write_report(tmp_path, "s").read_text()
    shown, fold, folded = text[text.index('<section id="selection">') :].partition("<summary>More from the top")
    folded = folded.partition("</section>")[0]
    assert fold and [part.count("<b>Ranked ") for part in (shown, folded)] == [3, 6]
    assert [part.count('class="trace"') for part in (shown, folded)] == [4, 6]  # the drawing's, and each candidate's


def test_all_candidates_are_counted_though_not_all_scores_are_read(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(manifest.path / "scores")
    rows = (Score(f"{i:05d}", target, float(i)) for i in range(1500) for target in ("gsm8k", "overall"))
    write_table(manifest.path / "scores", Score, rows, shard_rows=200)
    monkeypatch.setattr(module, "READ_AT_MOST", 500)
    found = selection(manifest)
    assert (len(found.values), found.candidates) == (500, 1500)
    plot = plots.influence(found.values, found.candidates, manifest)
    assert plot and plot.caption == "What the selector ranked by: 500 of 1,500 candidates, median 250."


def test_scores_that_were_all_read_are_those_of_the_candidates(manifest: Manifest) -> None:
    found = selection(manifest)
    plot = plots.influence(found.values, found.candidates, manifest)
    assert plot and plot.caption.startswith("What the selector ranked by: 769 candidates, median ")


@pytest.mark.parametrize("odd", [float("nan"), float("-inf")])
def test_a_score_that_is_not_finite_does_not_hide_the_others(manifest: Manifest, odd: float) -> None:
    plot = plots.influence([odd, 1.0, 2.0, 3.0], 4, manifest)
    assert plot and plot.caption == "What the selector ranked by: 3 of 4 candidates, median 2."


def test_of_many_sources_the_smallest_stand_together(told: Told) -> None:
    sources = {f"site {i:02d}": {"pool": 100 - i, "selected": 50 - i} for i in range(40)}
    (shares,) = told(selected={"source": sources}).shares
    assert [row[0].text for row in shares.rows] == [*(f"site {i:02d}" for i in range(11)), "29 others"]
    rest = [cell.detail for cell in shares.rows[-1][1:3]]
    assert rest == [f"{sum(100 - i for i in range(11, 40)):,}", str(sum(50 - i for i in range(11, 40)))]
    (all_shown,) = told(selected={"source": dict(list(sources.items())[:12])}).shares
    assert len(all_shown.rows) == 12 and "others" not in all_shown.rows[-1][0].text
