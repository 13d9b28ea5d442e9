"""What the report tells of a cleaned corpus."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from src.reporting import corpus as told
from src.reporting import write_report
from src.reporting.collect import Manifest, collect
from src.reporting.table import Table
from tests.reporting.fake_store import FakeJob, build

pytestmark = pytest.mark.slow


@pytest.fixture
def cleaned(tmp_path: Path) -> Callable[[], Manifest]:
    build(tmp_path, "s", [FakeJob("a")])

    def read() -> Manifest:
        (manifest,) = (job.manifest("clean") for job in collect(tmp_path, "s").jobs)
        assert manifest
        return manifest

    return read


def texts(table: Table) -> dict[str, list[str]]:
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def table(corpus: told.CorpusSummary, title: str) -> Table:
    return next(part.table for part in (*corpus.parts, *corpus.short) if part.title.startswith(title))


def test_the_maps_hold_every_problem_once_whichever_way_they_are_added_up(cleaned: Callable[[], Manifest]) -> None:
    found = told.corpus(cleaned())
    for title in ("Problems by source", "By topic"):
        counts = {name: [int(n.replace(",", "")) for n in row] for name, row in texts(table(found, title)).items()}
        assert counts["all"][-1] == 2_261
        for row in counts.values():
            assert sum(row[:-1]) == row[-1]
        for column in zip(*counts.values(), strict=True):
            assert sum(column[:-1]) == column[-1]
    assert [part.title for part in found.each] == ["sympy", "networkx", "mpmath"]
    sums = [texts(part.table)["all"][-1] for part in found.each]
    assert sums == [texts(table(found, "Problems by source"))[name][-1] for name in ("sympy", "networkx", "mpmath")]


def test_a_hole_is_a_quiet_nought_and_the_fullest_cell_the_darkest(cleaned: Callable[[], Manifest]) -> None:
    topics = table(told.corpus(cleaned()), "By topic")
    cells = {row[0].text: row[1:-1] for row in topics.rows if row[0].text != "all"}
    grade_school = topics.columns.index(next(c for c in topics.columns if c.name == "grade school")) - 1
    hole = cells["calculus"][grade_school]
    assert (hole.text, hole.tone, hole.heat) == ("0", "quiet", 0.0)
    heats = [(cell.heat, int(cell.text)) for row in cells.values() for cell in row]
    assert max(heats)[0] == 1.0 and max(heats)[1] == max(n for _, n in heats)


def test_every_number_names_the_artifact(cleaned: Callable[[], Manifest]) -> None:
    manifest = cleaned()
    found = told.corpus(manifest)
    for part in (*found.parts, *found.short, *found.each):
        for row in part.table.rows:
            for cell in row[1:]:
                assert cell.sources == (manifest,) or not cell.text, (part.title, cell)


def test_shares_are_of_the_cell_s_own_problems(cleaned: Callable[[], Manifest]) -> None:
    manifest = cleaned()
    cells = [("sympy", "aime", "algebra", 30, 15), ("mpmath", "aime", "algebra", 10, 1), ("mpmath", "amc8", "x", 4, 0)]
    names = ("source", "stage", "topic", "rows", "verified")
    (manifest.path / "coverage.json").write_text(json.dumps([dict(zip(names, cell)) for cell in cells]))
    assert texts(table(told.corpus(manifest), "Verified")) == {
        "sympy": ["", "50.0", "50.0"],
        "mpmath": ["0.0", "10.0", "7.1"],
        "all": ["0.0", "40.0", "36.4"],
    }


def test_the_exam_families_are_counted_by_the_question_that_is_asked_again(cleaned: Callable[[], Manifest]) -> None:
    manifest = cleaned()
    title, asked = "Benchmark questions", {"gsm8k": {f"q{n}": 20 - n for n in range(12)}, "svamp": {"s1": 2}}
    assert title not in {part.title.split(" with")[0] for part in told.corpus(manifest).short}
    lines = [
        json.dumps({"id": f"{question}-{n}", "benchmark": name, "question_id": question, "how": "same family"})
        for name, questions in asked.items()
        for question, count in questions.items()
        for n in range(count)
    ]
    (manifest.path / "benchmark_families.jsonl").write_text("\n".join(lines) + "\n")
    found = [[cell.text for cell in row] for row in table(told.corpus(manifest), title).rows]
    assert found[0] == ["gsm8k", "all 12 that are met", str(sum(asked["gsm8k"].values()))]
    assert found[1:9] == [["gsm8k", f"q{n}", str(20 - n)] for n in range(8)]
    assert found[9:] == [["svamp", "all 1 that are met", "2"], ["svamp", "s1", "2"]]
    for broken in ("[1]", '{"id": 3}', "{", "null"):
        (manifest.path / "benchmark_families.jsonl").write_text(broken)
        assert not any(part.title.startswith(title) for part in told.corpus(manifest).short)


def test_many_small_sources_stand_together(cleaned: Callable[[], Manifest]) -> None:
    manifest = cleaned()
    cells = [
        {"source": f"site {i}", "stage": "aime", "topic": "algebra", "rows": 100 - i, "verified": 0} for i in range(40)
    ]
    (manifest.path / "coverage.json").write_text(json.dumps(cells))
    rows = texts(table(told.corpus(manifest), "Problems by source"))
    assert list(rows) == [*(f"site {i}" for i in range(7)), "other sources", "all"]
    assert rows["other sources"] == [f"{sum(100 - i for i in range(7, 40)):,}"] * 2
    assert "Verified" not in {part.title.split()[0] for part in told.corpus(manifest).parts}  # none is: nothing to tell


def test_the_cells_of_a_corpus_are_counted_source_by_source_however_many_there_are(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a-s0", 0, ["x=1"]), FakeJob("b-s0", 0, ["x=2"])])
    cells = [{"source": f"site {i}", "stage": "aime", "topic": "algebra", "rows": 5, "verified": 0} for i in range(40)]
    for path in tmp_path.glob("store/clean/*/coverage.json"):
        path.write_text(json.dumps(cells))
    found = told.corpora(collect(tmp_path, "s"))
    assert found.columns[-1].name == "Cells" and [row[-1].text for row in found.rows] == ["40", "40"]


def test_a_line_separator_in_a_question_s_id_loses_no_family(cleaned: Callable[[], Manifest]) -> None:
    manifest = cleaned()
    rows = [{"id": str(n), "benchmark": "gsm8k", "question_id": id} for n, id in enumerate(("a\u2028b", "c\x85d", "e"))]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (manifest.path / "benchmark_families.jsonl").write_text(lines)
    found = table(told.corpus(manifest), "Benchmark questions")
    assert [row[1].text for row in found.rows] == ["all 3 that are met", "a\u2028b", "c\x85d", "e"]


@pytest.mark.parametrize(
    "cell",
    [
        {"source": None, "stage": "aime", "topic": "algebra", "rows": 1, "verified": 0},
        {"source": "a", "stage": None, "topic": "algebra", "rows": 1, "verified": 0},
        {"source": "a", "stage": "aime", "topic": "algebra", "rows": "1", "verified": 0},
        {"source": "a", "stage": "aime", "topic": "algebra", "rows": 1, "verified": None},
    ],
)
def test_cells_in_no_known_form_are_left_out(cleaned: Callable[[], Manifest], cell: dict) -> None:
    manifest = cleaned()
    good = {"source": "b", "stage": "aime", "topic": "algebra", "rows": 1, "verified": 0}
    (manifest.path / "coverage.json").write_text(json.dumps([good, cell]))
    assert not told.corpus(manifest).each


@pytest.mark.parametrize("text", ["", "[1]", '[{"source": "a"}]', "{}", '{"amc8": 3}', "null"])
def test_an_account_that_cannot_be_read_is_left_out(cleaned: Callable[[], Manifest], text: str) -> None:
    manifest = cleaned()
    for name in ("coverage.json", "stage_fit.json"):
        (manifest.path / name).write_text(text)
    found = told.corpus(manifest)
    assert not found.parts and not found.each
    assert texts(table(found, "Left out"))["no boxed answer"] == ["611", "18.0"]
    assert not told.corpus(None)


def test_arms_that_read_different_corpora_stand_beside_each_other(outputs: Path) -> None:
    rows = texts(told.corpora(collect(outputs, "ablation_data_volume")))
    assert rows["share_1.0"][:5] == [
        "2,261",
        "66.6",
        "10.0",
        "66.3",
        "7.1",
    ]  # kept, of 3,397; verified, steps, repeated
    assert rows["share_0.125"][0] < rows["share_0.25"][0] == "565"
    assert not told.corpora(collect(outputs, "demo"))


def test_the_page_and_the_record_tell_of_the_corpus(outputs: Path, pages: dict[str, Path]) -> None:
    page = pages["demo"].read_text()
    assert '<section id="corpus">' in page and "--heat: 1.000" in page
    record = (pages["demo"].parent / "report.md").read_text()
    assert "## The corpus of demo-s0" in record and "| its program prints it | 226 | 10.0 |" in record
    assert "The topics of each source" in page


def test_a_study_whose_corpus_said_nothing_has_no_such_section(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a", status="failed")])
    assert 'id="corpus"' not in write_report(tmp_path, "s").read_text()


def test_the_page_and_the_record_tell_of_exam_families(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    (path,) = tmp_path.glob("store/clean/*/manifest.json")
    row = {"id": "g1", "benchmark": "gsm8k", "question_id": "q7", "how": "same family"}
    (path.parent / "benchmark_families.jsonl").write_text(json.dumps(row) + "\n")
    page = write_report(tmp_path, "s")
    assert "<h3>Benchmark questions with other numbers and names</h3>" in page.read_text()
    record = page.with_name("report.md").read_text()
    assert "### Benchmark questions with other numbers and names" in record and "| gsm8k | q7 | 1 |" in record
