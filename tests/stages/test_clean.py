"""The stage that makes raw generations a corpus: what stays, what goes and why, whatever order and accidents."""

import json
import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.cleaning import parts
from src.cleaning.duplicates import Duplicates
from src.cleaning.fit import Balance
from src.cleaning.verification import Verification, Votes
from src.core.errors import UserError
from src.core.records import Generation, Passage, Problem, arrow_schema, content_id, read_table, write_table
from src.core.stage import Artifact, StageContext
from src.generation.base import Completion, Generator, Session
from src.generation.procedural.sets import training_problems
from src.stages.clean import Clean
from src.stages.sft import NoSFT, ProceduralSFT
from src.text.contamination import Decontamination
from src.text.parsing import format_response
from src.text.quality import Rules


@pytest.fixture
def context(tmp_path):
    def make(name="out", **inputs):
        for folder in (name, f"{name}-work"):
            (tmp_path / folder).mkdir()
        artifacts = {k: Artifact(v) for k, v in inputs.items()}
        return StageContext(tmp_path / name, tmp_path / f"{name}-work", artifacts, tmp_path / "cache")

    return make


def run(stage, ctx):
    stage.run(ctx)
    ctx.tally.check()
    return ctx


GOOD = "[Problem]\nWhat is the sum of 2 and {n}?\n\n[Solution]\nAdding gives 2 + {n}, so the sum is \\boxed{{{sum}}}."


def generation(n, text=None, finish_reason="stop"):
    text = GOOD.format(n=n, sum=n + 2) if text is None else text
    return Generation(f"g{n}", f"p{n}", "t", "amc8", "cot", text, finish_reason, 30, "student")


@pytest.fixture
def clean(context, tmp_path):
    def make(rows, **options):
        write_table(tmp_path / "generated" / "generations", Generation, rows)
        return run(Clean(**options), context(generations=tmp_path / "generated"))

    return make


def test_clean_keeps_good_problems_and_gives_reasons_for_the_rest(clean):
    rows = [
        generation(1),
        generation(2, "I cannot help with that."),
        generation(3, GOOD.format(n=1, sum=3).replace("What", "what")),
        generation(4, "[Problem]\nWhat is the sum of 2 and 4?\n[Solution]\nLet us add them, one by"),
        generation(5, "[Problem]\nWhat is the sum of 2 and 5?\n[Solution]\nLet us add them, one by", "length"),
        generation(6, "", "error"),
        generation(7, GOOD.format(n=7, sum=9) + "\n\n[Problem]\nAnother one, cut", "length"),
    ]
    ctx = clean(rows)
    problems = list(read_table(ctx.out / "problems", Problem))
    assert [p.id for p in problems] == sorted(p.id for p in problems)
    assert {(p.answer, p.round, p.generator) for p in problems} == {("3", 0, "student"), ("9", 0, "student")}
    assert ctx.tally.rejected == {
        "no problem or solution header": 1,
        "duplicate question": 1,
        "no boxed answer": 1,
        "cut off at the token limit": 1,
    }
    assert ctx.tally.failed == {"generation failed": 1}
    assert ctx.summary["kept_share"] == 2 / 7 and ctx.summary["repaired/second problem cut off"] == 1
    assert ctx.summary["benchmark_questions_compared"] == 0
    listed = [json.loads(line) for line in (ctx.out / "rejected.jsonl").open()]
    lost = next(row["id"] for row in listed if row["reason"] == "duplicate question")
    assert [row["id"] for row in listed] == sorted(["g2", lost, "g4", "g5"]) and lost in ("g1", "g3")


def test_samples_of_each_reason_are_limited(clean):
    ctx = clean([generation(n, f"Nothing {n}") for n in range(9)], samples=2)
    assert len((ctx.out / "rejected.jsonl").read_text().splitlines()) == 2
    assert ctx.tally.rejected.total() == 9 and ctx.summary["kept_share"] == 0


def test_rules_and_duplicates_can_be_switched_off(clean):
    bare = "[Problem]\nHow?\n[Solution]\nSo."
    ctx = clean([generation(n, bare) for n in range(3)], rules=None, duplicates=None)
    assert ctx.tally.kept == 3


@dataclass(frozen=True)
class Exam:
    texts: tuple[str, ...]

    def questions(self):
        return [SimpleNamespace(id=f"q{i}", text=text) for i, text in enumerate(self.texts)]


def test_contaminated_problems_are_removed_and_all_listed(clean):
    exam = Exam(("Unrelated?", "what is the sum of 2 and 3"))
    rows = [generation(n) for n in (1, 3, 4)] + [generation(9, GOOD.format(n=3, sum=5))]
    ctx = clean(rows, decontamination=Decontamination(), benchmarks={"exam": exam}, samples=1)
    assert ctx.tally.rejected == {"contaminated by exam": 2} and ctx.tally.kept == 2
    assert ctx.summary["benchmark_questions_compared"] == 2
    listed = [json.loads(line) for line in (ctx.out / "contaminated.jsonl").open()]
    assert [(row["id"], row["benchmark"], row["question_id"], row["how"]) for row in listed] == [
        ("g3", "exam", "q1", "same question"),
        ("g9", "exam", "q1", "same question"),
    ]
    assert len((ctx.out / "rejected.jsonl").read_text().splitlines()) == 1


def test_a_benchmarks_question_in_a_solution_is_found_and_listed(clean):
    asked = "Tom has 5 apples and buys 7 more apples at the big market. How many apples has he then?"
    solved = "[Problem]\nHow many fruits are {n} apples and {n} pears?\n\n[Solution]\n{aside} So \\boxed{{{n}}}."
    rows = [generation(1, solved.format(n=2, aside="We add."))]
    rows += [generation(2, solved.format(n=3, aside=f"It is as in this one: {asked}"))]
    ctx = clean(rows, decontamination=Decontamination(), benchmarks={"exam": Exam((asked,))}, verification=None)
    assert ctx.tally.rejected == {"contaminated by exam": 1} and ctx.tally.kept == 1
    (listed,) = [json.loads(line) for line in (ctx.out / "contaminated.jsonl").open()]
    assert listed == {"id": "g2", "benchmark": "exam", "question_id": "q0", "how": "shared words in the solution"}


def test_a_benchmarks_question_with_other_numbers_and_names_stays_is_counted_and_shown(clean):
    asked = "Tom has 5 apples and buys 7 more apples at the big market. How many apples has he?"
    again = asked.replace("Tom", "Ann").replace("he?", "she?").replace("5", "19").replace("7", "23")
    solved = f"[Problem]\n{again}\n\n[Solution]\nWe add the apples: 19 + 23 = 42. So the answer is \\boxed{{42}}."
    how = Decontamination(ngram=None, near=None)
    ctx = clean([generation(1), generation(2, solved)], decontamination=how, benchmarks={"exam": Exam((asked,))})
    assert ctx.tally.kept == 2 and ctx.summary["of_a_benchmark_family"] == 1
    (listed,) = [json.loads(line) for line in (ctx.out / "benchmark_families.jsonl").open()]
    assert listed == {"id": "g2", "benchmark": "exam", "question_id": "q0", "how": "same family"}
    assert (
        "Rows that ask one with other numbers and names: 1, duplicates included" in (ctx.out / "README.md").read_text()
    )


def test_rules_are_options(clean):
    ctx = clean([generation(1)], rules=Rules(question_chars=(100, 200)))
    assert ctx.tally.rejected == {"question too short": 1}


def test_no_generations_at_all_is_no_division_by_zero(clean):
    assert clean([]).summary["kept_share"] == 0


TABLES = ("problems", "facts", "rejections")
LISTS = (
    "rejected.jsonl",
    "contaminated.jsonl",
    "benchmark_families.jsonl",
    "coverage.json",
    "stage_fit.json",
    "README.md",
    "checked.json",
)


def corpus(n=400, seed=0):
    """Procedural problems, some twice, some broken, some failed."""
    rows = []
    for i, p in enumerate(training_problems(n, seed, tool_share=0.05)):
        text = format_response(p.question, p.solution) if i % 7 else "no problem at all"
        finish = "error" if i % 31 == 0 else "stop"
        rows.append(Generation(content_id("g", i), f"p{i}", "t", p.stage, p.kind, text, finish, 30, "student"))
    return rows + [Generation(content_id("again", r.id), *list_of(r)[1:]) for r in rows[::5]]


def list_of(row):
    return [getattr(row, name) for name in Generation.__slots__]


def result(ctx):
    files = [path for table in TABLES for path in sorted((ctx.out / table).iterdir())]
    return [path.read_bytes() for path in [*files, *(ctx.out / name for name in LISTS)]]


OPTIONS = {
    "duplicates": Duplicates(near=0.7, same_numbers=False, family_cap=3),
    "verification": Verification(programs="skip"),
    "balance": Balance(by=("stage", "topic"), thin=True),
    "decontamination": Decontamination(),
    "samples": 3,
}


@pytest.mark.slow
def test_order_shards_and_batches_of_the_input_change_nothing(context, tmp_path):
    rows = corpus()
    exam = {"exam": Exam(tuple(p.question for p in training_problems(20, 0)))}
    shuffled = list(rows)
    random.Random(3).shuffle(shuffled)
    write_table(tmp_path / "a" / "generations", Generation, rows)
    write_table(tmp_path / "b" / "generations", Generation, shuffled, shard_rows=70)
    first = run(Clean(benchmarks=exam, **OPTIONS), context("out-a", generations=tmp_path / "a"))
    second = run(Clean(benchmarks=exam, **OPTIONS), context("out-b", generations=tmp_path / "b"))
    assert result(second) == result(first)
    assert first.tally.as_dict() == second.tally.as_dict() and first.summary == second.summary
    assert {
        "contaminated by exam",
        "its family is full",
        "left out to balance the corpus",
    } <= first.tally.rejected.keys()
    gone = pq.read_table(first.out / "rejections")
    assert len(gone) + first.tally.kept == len(rows)
    assert sorted(gone["reason"].to_pylist()) == sorted((first.tally.rejected + first.tally.failed).elements())


@pytest.mark.slow
def test_processes_change_nothing(context, tmp_path):
    write_table(tmp_path / "a" / "generations", Generation, corpus(), shard_rows=100)
    stages = {f"out-{n}": Clean(workers=n, **OPTIONS) for n in (1, 2)}
    alone, shared = (run(stage, context(name, generations=tmp_path / "a")) for name, stage in stages.items())
    assert result(shared) == result(alone)


@pytest.mark.slow
def test_a_kill_in_the_middle_changes_nothing_and_costs_the_part_in_hand(context, tmp_path, monkeypatch):
    write_table(tmp_path / "a" / "generations", Generation, corpus(), shard_rows=100)
    whole = run(Clean(**OPTIONS), context("whole", generations=tmp_path / "a"))
    killed = context("killed", generations=tmp_path / "a")
    read, taken = parts.read_part, []

    def dies_at_the_third(part):
        taken.append(part.shard.name)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return read(part)

    monkeypatch.setattr("src.cleaning.sieve.read_part", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        Clean(**OPTIONS).run(killed)
    again = StageContext(killed.out, killed.work, killed.inputs, killed.cache)
    run(Clean(**OPTIONS), again)
    assert taken.count("00000.parquet") == taken.count("00001.parquet") == 1 and taken.count("00002.parquet") == 2
    assert result(again) == result(whole)


def test_questions_of_other_rounds_and_of_the_fine_tuning_set_stood_before(context, tmp_path):
    taught = list(training_problems(8, 1))
    rows = [
        Generation(f"g{i}", f"p{i}", "t", p.stage, p.kind, format_response(p.question, p.solution), "stop", 9, "s")
        for i, p in enumerate([*taught, *training_problems(8, 0), *training_problems(3, 5)])
    ]
    earlier = [Problem(p.id, "x", "x", p.stage, p.kind, p.question, p.solution, p.answer, "teacher", 1) for p in taught]
    write_table(tmp_path / "a" / "generations", Generation, rows)
    write_table(tmp_path / "taught" / "problems", Problem, earlier)
    ctx = context("out", generations=tmp_path / "a", distilled_1=tmp_path / "taught")
    run(Clean(beside=ProceduralSFT(n=8)), ctx)
    assert ctx.tally.rejected["duplicate of a known question"] == 16 and ctx.tally.kept == 3
    assert ctx.summary["known_questions"] == 16


def test_a_missing_column_and_a_damaged_shard_are_named(context, tmp_path):
    folder = tmp_path / "a" / "generations"
    write_table(folder, Generation, [generation(1)])
    table = pq.read_table(folder / "00000.parquet")
    pq.write_table(table.drop_columns(["stage"]), folder / "00001.parquet")
    with pytest.raises(UserError, match=r"00001\.parquet lacks the column 'stage'; it has id, prompt_id"):
        Clean().run(context("b", generations=tmp_path / "a"))
    (folder / "00001.parquet").write_bytes((folder / "00000.parquet").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"00001\.parquet is no readable Parquet file"):
        Clean().run(context("c", generations=tmp_path / "a"))
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(UserError, match="expected Parquet shards"):
        Clean().run(context("d", generations=tmp_path / "a"))


def test_a_text_that_is_no_utf8_or_missing_or_huge_is_counted(context, tmp_path):
    folder = tmp_path / "a" / "generations"
    write_table(folder, Generation, [generation(n) for n in range(1, 6)])
    table = pq.read_table(folder / "00000.parquet")
    texts = [text.encode() for text in table["text"].to_pylist()]
    texts[1], texts[2], texts[3] = b"[Problem]\n\xff\xfe", None, b"[Problem]\n" + b"word " * 2_000_000
    column = pa.array(texts, pa.binary()).view(pa.string())
    schema = pa.schema([f.with_nullable(True) for f in arrow_schema(Generation)])
    arrays = [column if name == "text" else table[name].chunk(0) for name in schema.names]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), folder / "00000.parquet")
    ctx = run(Clean(), context("out", generations=tmp_path / "a"))
    assert ctx.tally.rejected == {
        "invalid UTF-8": 1,
        "a text is missing": 1,
        "longer than 1,000,000 characters": 1,
    }
    assert ctx.tally.kept == 2
    assert (ctx.out / "rejected.jsonl").stat().st_size < 50_000


def test_the_folder_is_a_data_set_with_a_card(context, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    write_table(tmp_path / "a" / "generations", Generation, corpus(60))
    write_table(tmp_path / "p" / "passages", Passage, [Passage("t", "web", "text", {"licence": "CC BY 4.0"})])
    ctx = run(Clean(), context("out", generations=tmp_path / "a", passages=tmp_path / "p"))
    (ctx.out / "manifest.json").write_text("{}")
    loaded = datasets.load_dataset(str(ctx.out), split="train", cache_dir=str(tmp_path / "hf"))
    assert len(loaded) == ctx.tally.kept and set(loaded.column_names) == set(arrow_schema(Problem).names)
    card = (ctx.out / "README.md").read_text()
    assert f"| web | {ctx.tally.kept:,} | CC BY 4.0 |" in card and "**Not checked against any benchmark**" in card
    assert f"| no problem or solution header | {ctx.tally.rejected['no problem or solution header']} |" in card


@pytest.mark.slow
def test_programs_are_held_to_their_word(clean, isolation):
    def tool(n, code, output, box):
        solution = f"```python\n{code}\n```\n```output\n{output}\n```\nIt is \\boxed{{{box}}}."
        text = format_response(f"What is {n} and {n}, summed?", solution)
        return Generation(f"g{n}", f"p{n}", "t", "amc8", "tool", text, "stop", 9, "s")

    rows = [
        tool(1, "print(1 + 1)", "2", "2"),
        tool(2, "print(2 + 2)", "5", "5"),
        tool(3, "print(3 + 3)", "6", "7"),
        tool(4, "print(4 + four)", "8", "8"),
        tool(5, "print(10 / 3)", "3.3333333333333335", "3.33"),
    ]
    ctx = clean(rows, verification=Verification())
    assert ctx.tally.rejected == {
        "its program prints something else": 1,
        "boxed answer is not what the program prints": 1,
        "its program fails": 1,
    }
    assert ctx.summary["verified_share"] == ctx.summary["verified/stage/amc8"] == 1.0


@pytest.mark.slow
def test_a_tool_twin_speaks_for_the_natural_language_row(context, tmp_path, isolation):
    words = "2 + 3 gives \\boxed{%s}, as one counts."
    code = "```python\nprint(5)\n```\n```output\n5\n```\nIt is \\boxed{5}."
    rows = []
    for n, box in ((1, "5"), (2, "6"), (3, "5"), (4, "6")):
        question = f"{'Ah, ' * n}what is the sum of two and three?"
        for kind, solution in (("cot", words % box), ("tool", code)):
            text = format_response(question, solution)
            rows.append(Generation(f"{kind}{n}", f"{kind}{n}", "t", "amc8", kind, text, "stop", 9, "s"))
    write_table(tmp_path / "a" / "generations", Generation, rows)
    stage = Clean(rules=None, duplicates=Duplicates(near=None), verification=Verification(wrong="note"))
    ctx = run(stage, context("out", generations=tmp_path / "a"))
    facts = pq.read_table(ctx.out / "facts").to_pylist()
    found = {row["generation_id"]: row["verdict"] for row in facts}
    assert ctx.tally.kept == 4 and found
    for id, verdict in found.items():
        assert verdict == ("program" if id.startswith("tool") else "twin" if id in ("cot1", "cot3") else "wrong")
    assert any(id.startswith("cot") for id in found), "ids are such that no twin was needed: change the questions"


def test_other_solutions_outvote_a_wrong_answer(clean, tmp_path):
    solver = Solver(tmp_path / "asked")
    rows = [generation(1), generation(2, GOOD.format(n=2, sum=5)), generation(40)]
    ctx = clean(rows, verification=Verification(arithmetic=False, programs="skip", votes=Votes(solver, samples=3)))
    assert ctx.tally.rejected == {"other solutions agree on another answer": 1} and ctx.tally.kept == 2
    facts = pq.read_table(ctx.out / "facts").to_pylist()
    assert {row["generation_id"]: row["verdict"] for row in facts} == {"g1": "votes", "g40": "unchecked"}
    assert len(solver.log.read_text().splitlines()) == 9


@dataclass(frozen=True)
class Solver(Generator):
    """Adds two numbers rightly; of numbers beyond 10 it says something else each time."""

    log: Path

    @property
    def name(self):
        return "solver"

    def open(self, model, cache):
        return SolverSession(self.log)


class SolverSession(Session):
    def __init__(self, log):
        self.log = log

    def stream(self, requests):
        for request in requests:
            with self.log.open("a") as log:
                log.write(request.id + "\n")
            a, b = map(int, re.findall(r"\d+", request.context["passage"]))
            said = a + b if b < 10 else request.seed
            yield Completion(request.id, f"So \\boxed{{{said}}}.", "stop", 5, 5)


@pytest.mark.parametrize("options", [{"samples": -1}, {"workers": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        Clean(**options)


@pytest.mark.parametrize("beside", [NoSFT(), ProceduralSFT(n=8)], ids=["alone", "beside a set"])
def test_a_share_of_the_corpus_is_accounted_for_and_holds_the_smaller_ones(context, tmp_path, beside):
    write_table(tmp_path / "generated" / "generations", Generation, [generation(n) for n in range(60)])

    def ids(share):
        ctx = run(Clean(share=share, beside=beside), context(str(share), generations=tmp_path / "generated"))
        assert ctx.tally.rejected.total() == 60 - ctx.tally.kept
        return {problem.id for problem in read_table(ctx.out / "problems", Problem)}

    quarter, half, whole = ids(0.25), ids(0.5), ids(1.0)
    assert quarter < half < whole and len(whole) == 60
    assert 20 < len(half) < 40


@pytest.mark.parametrize("share", [0, 1.5])
def test_a_share_that_makes_no_sense_is_refused(share):
    with pytest.raises(ValueError, match="share must lie in"):
        Clean(share=share)
