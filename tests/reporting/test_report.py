import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.core.records import Prediction, Problem, read_table, write_table
from src.reporting import summary_lines, write_report
from src.reporting.collect import collect
from src.reporting.markdown import UNFINISHED, fenced
from src.reporting.report import write_record
from src.reporting.text import words
from tests.reporting.conftest import STUDIES
from tests.reporting.fake_store import FakeJob, build

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILES = {"index.html", "report.md", "accuracy.csv", "stages.csv"}
DRAWINGS = {"demo": {"accuracy.svg"}, "ablation_no_influence": {"means.svg", "differences.svg"}}
DRAWINGS["ablation_data_volume"] = DRAWINGS["ablation_no_influence"] | {"curve.svg"}


@pytest.fixture
def copied(outputs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(outputs, tmp_path / "outputs"))


class _Links(HTMLParser):
    """Collects ids, links and whatever a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.inside: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if identifier := values.get("id"):
            self.ids.append(identifier)
        target = values.get("href") or values.get("xlink:href") or ""
        if target.startswith("#"):
            self.inside.append(target[1:])
        elif target and not target.startswith("data:,"):
            self.fetched.append(target)
        if source := values.get("src"):
            self.fetched.append(source)


def test_a_student_of_an_unchecked_corpus_is_told_of(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    (path,) = tmp_path.glob("store/pretrain/*/manifest.json")
    manifest = json.loads(path.read_text())
    for questions, rows in ((0, 0), (1319, 0), (0, 2000), (1319, 2000)):
        manifest["metrics"] |= {"unchecked_questions": questions, "sft_rows_that_repeat": rows}
        path.write_text(json.dumps(manifest))
        page = write_report(tmp_path, "s")
        for text in (page.read_text(), page.with_name("report.md").read_text()):
            assert ("a: the corpus was never compared with 1,319 of the questions." in text) == bool(questions)
            assert ("a: 2,000 rows of the fine-tuning set repeat a question and were read." in text) == bool(rows)
            assert ("Not checked for contamination." in text) == bool(questions or rows)


@pytest.mark.parametrize("study", STUDIES)
def test_the_page_is_whole_in_itself(pages: dict[str, Path], study: str) -> None:
    text = pages[study].read_text()
    page = _Links(text)
    assert page.fetched == [] and "@import" not in text and not re.search(r"url\((?!#)", text)
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert set(page.inside) <= set(page.ids)
    assert {p.name for p in pages[study].parent.iterdir()} == FILES | DRAWINGS[study]


def test_the_same_store_gives_the_same_bytes(copied: Path, pages: dict[str, Path]) -> None:
    folder, before = write_report(copied, "demo").parent, pages["demo"].parent
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in before.iterdir()}


def test_what_models_wrote_cannot_break_the_page(pages: dict[str, Path]) -> None:
    text = pages["demo"].read_text()
    assert "gives &lt;" in text and not re.search(r"gives <\d", text)


def test_colours_follow_the_reader_s_theme_and_the_file_stands_alone(pages: dict[str, Path]) -> None:
    page = pages["demo"]
    drawings = re.findall(r"<svg.*?</svg>", page.read_text(), flags=re.S)
    assert drawings and not any(re.search(r"#[0-9a-fA-F]{6}", d) for d in drawings)
    assert "var(--" not in (page.parent / "accuracy.svg").read_text()


def test_csv_holds_every_group_of_every_job_with_its_key(pages: dict[str, Path]) -> None:
    folder = pages["ablation_no_influence"].parent
    with (folder / "accuracy.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 2 * (3 + 16)  # complete jobs x models x (benchmarks + stages of two)
    assert all((folder.parents[1] / "store" / "evaluate" / row["key"]).is_dir() for row in rows)
    with (folder / "stages.csv").open() as file:
        stages = list(csv.DictReader(file))
    assert all(int(r["in"]) == int(r["kept"]) + int(r["rejected"]) + int(r["failed"]) for r in stages)


def test_a_study_in_which_nothing_worked_still_has_a_page(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a", status="failed", error="boom <here>")])
    text = write_report(tmp_path, "s").read_text()
    assert "nothing to conclude" in text and "boom &lt;here&gt;" in text
    assert "Not complete: a" in "\n".join(summary_lines(tmp_path, "s"))


def test_the_commands_of_a_record_hold_no_place_of_this_machine(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a", overrides=["tracker=none", "rounds=1", f"outputs={tmp_path}"])])
    text = (write_report(tmp_path, "s").parent / "report.md").read_text()
    assert "\npython -m src.train study=s rounds=1\n" in text and str(tmp_path) not in text


def test_the_markdown_is_a_record_with_all_that_failed(pages: dict[str, Path]) -> None:
    text = (pages["ablation_no_influence"].parent / "report.md").read_text()
    for part in ("**Question.** Does influence", "**Answer.** ", "**Commands.**", "sharing saved", "## Arms"):
        assert part in text
    assert "**What failed or is missing.** none-s1 (No space left on /data" in text
    assert set(re.findall(r"\]\((\w+\.svg)\)", text)) == DRAWINGS["ablation_no_influence"]


def test_a_record_shows_a_problem_of_each_stage_as_it_was_written(outputs: Path, pages: dict[str, Path]) -> None:
    record = (pages["demo"].parent / "report.md").read_text()
    rows = [row for path in outputs.glob("store/clean/*/problems") for row in read_table(path, Problem)]
    blocks = re.findall(r"^### Written for ([^\n]+)\n\n(`{3,})text\n(.+?)\n\2$", record, re.MULTILINE | re.DOTALL)
    assert len(blocks) == len({row.stage for row in rows}) == 8
    for stage, fence, text in blocks:  # lines may be broken, and nothing else; programs stay inside the fence
        written = {" ".join((row.question + " " + row.solution).split()) for row in rows if words(row.stage) == stage}
        assert " ".join(text.split()) in written and fence not in text


def test_long_lines_are_broken_but_not_those_of_programs() -> None:
    program = "```python\nif a:\n\treturn '" + "word " * 40 + "'\n```"
    shown = fenced(f"  {'long ' * 40}\n\n{program}\n").splitlines()
    assert shown[0] == "````text" and shown[-1] == "````"
    assert all(len(line) <= 110 for line in shown[1:3]) and "\n".join(shown[4:-1]) == program


@pytest.mark.slow
def test_a_record_goes_where_records_are_kept(copied: Path, tmp_path: Path) -> None:
    study, records = "ablation_data_volume", tmp_path / "records"
    done = _run(["-m", "src.report", f"study={study}", f"outputs={copied}", f"record={records}"])
    assert done.returncode == 0, done.stderr
    assert {p.name for p in records.iterdir()} == {f"{study}.md", *(f"{study}-{name}" for name in DRAWINGS[study])}
    assert f"![Accuracy]({study}-means.svg)" in (records / f"{study}.md").read_text()


def test_an_empty_run_folder_is_a_report_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs" / "s").mkdir(parents=True)
    assert "nothing to conclude" in write_report(tmp_path, "s").read_text()


def test_another_baseline_can_be_named(copied: Path) -> None:
    text = "\n".join(summary_lines(copied, "ablation_no_influence", "random"))
    assert re.search("Influence (beats random|and random cannot be told apart)", text) and "Against random" in text
    with pytest.raises(UserError, match=r"Did you mean baseline=random\? Its arms: influence, random, none"):
        write_report(copied, "ablation_no_influence", "randm")


@pytest.mark.slow
def test_the_command_writes_the_page(copied: Path) -> None:
    done = _run(["-m", "src.report", "study=demo", f"outputs={copied}"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(str(copied / "reports" / "demo" / "index.html"))
    assert "seen families" in done.stdout


@pytest.mark.slow
def test_a_report_loads_no_ml_library(copied: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import src.report; from src.reporting import write_report\n"
        f"assert 'matplotlib' not in sys.modules; write_report(Path({str(copied)!r}), 'demo')\n"
        "assert not {'torch', 'transformers', 'vllm', 'sympy', 'pandas'} & set(sys.modules)"
    )
    done = _run(["-c", code])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("words", "said"), [(["study=demmo"], "Did you mean study=demo?"), ([], "Say study=NAME")])
def test_the_command_explains_a_wrong_study(copied: Path, words: list[str], said: str) -> None:
    done = _run(["-m", "src.report", f"outputs={copied}", *words])
    assert done.returncode != 0
    assert said in done.stderr and "Traceback" not in done.stderr


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_words_of_ones_own_stay_in_a_record_written_again(copied: Path, tmp_path: Path) -> None:
    path = write_record(copied, "demo", tmp_path / "records")
    written = path.read_text()
    own = "**Beside the figures.** The machine was\nshared."
    path.write_text(written.replace(UNFINISHED, f"{own}\n\n{UNFINISHED}"))
    kept = write_record(copied, "demo", tmp_path / "records").read_text()
    assert own in kept and kept.replace(f"{own}\n\n", "") == written


def test_every_problem_on_the_page_has_the_id_that_a_trace_takes(outputs: Path) -> None:
    page = write_report(outputs, "demo").read_text()
    shown = re.findall(r'<code class="key">([0-9a-f]{20})</code></p>', page)
    assert len(shown) >= 16  # eight stages, two writers
    rows = {p.id for path in outputs.glob("store/*/*/problems") for p in read_table(path, Problem)}
    assert set(shown) <= rows
    assert '<code class="key">c1</code>' in page  # a candidate of the selection


def test_the_selection_is_said_to_be_of_the_job_that_made_it(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("one-s0", 0, ["x=1"]), FakeJob("two-s0", 0, ["x=2"])])
    first = collect(tmp_path, "s").jobs[0].manifest("select")
    assert first is not None
    shutil.rmtree(first.path / "scores")
    (first.path / "fidelity.json").unlink()
    page = write_report(tmp_path, "s")
    section = page.read_text().partition('<section id="selection">')[2].partition("</section>")[0]
    assert "Of two-s0." in section and "one-s0" not in section
    record = page.with_name("report.md").read_text()
    assert "\n## Selection of two-s0\n" in record and "## Rows through the stages of one-s0" in record


def test_the_shares_are_said_to_be_of_the_benchmarks_that_all_arms_were_asked(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("one-s0", 0, ["x=1"]), FakeJob("two-s0", 0, ["x=2"])])
    evaluation = collect(tmp_path, "s").jobs[1].manifest("evaluate")
    assert evaluation is not None
    path, table = evaluation.path / "accuracy.json", evaluation.path / "predictions"
    path.write_text(json.dumps([row for row in json.loads(path.read_text()) if row["benchmark"] != "gsm_symbolic"]))
    rows = [row for row in read_table(table, Prediction) if row.benchmark != "gsm_symbolic"]
    shutil.rmtree(table)
    write_table(table, Prediction, rows)
    assert "Shares are the mean of 2 benchmarks" in write_report(tmp_path, "s").read_text()
