"""The stages around the texts: corpus, prompts, clean."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from src.core.errors import UserError
from src.core.records import Generation, Passage, Problem, Prompt, read_table, write_table
from src.core.stage import Artifact, StageContext
from src.corpus.base import BadRow, Reader, passage
from src.corpus.jsonl import JsonlReader
from src.prompts.sets import PromptSet
from src.stages.clean import Clean
from src.stages.corpus import Corpus
from src.stages.prompts import Prompts
from src.text.contamination import Decontamination
from src.text.quality import Rules


@pytest.fixture
def context(tmp_path):
    def make(name="out", **inputs):
        out = tmp_path / name
        out.mkdir()
        return StageContext(out, tmp_path / "work", {k: Artifact(v) for k, v in inputs.items()}, tmp_path / "cache")

    return make


@dataclass(frozen=True)
class Rows(Reader):
    rows: tuple[Passage | BadRow, ...]

    def read(self) -> Iterator[Passage | BadRow]:
        yield from self.rows


def sentence(i, source="s"):
    return passage(source, f"The number {i} is the sum of {i - 1} and 1, and half of {2 * i}.")


def run(stage, ctx):
    stage.run(ctx)
    ctx.tally.check()
    return ctx


def test_corpus_cuts_counts_and_keeps_each_text_once(context):
    long = passage("s", "Every even number is a sum. " * 20)
    rows = (sentence(1), sentence(1, "other"), BadRow("f:3", "invalid JSON"), passage("s", "Short."), long)
    ctx = run(Corpus(Rows(rows), chars=100, min_chars=20), context())
    texts = [p.text for p in read_table(ctx.out / "passages", Passage)]
    assert texts == [rows[0].text, ("Every even number is a sum. " * 3).strip()]
    assert ctx.tally.as_dict()["rejected"] == {"duplicate": 1, "invalid JSON": 1, "too short": 1}
    assert ctx.summary == {"bad_rows": 1, "source/s": 2}


def test_the_id_of_a_passage_is_that_of_its_final_text(context):
    ctx = run(Corpus(Rows((passage("s", "One two three. " * 20),)), chars=60, min_chars=1), context())
    (kept,) = read_table(ctx.out / "passages", Passage)
    assert kept.id == passage("s", kept.text).id


def test_a_limit_draws_by_content_whatever_the_order(context):
    rows = tuple(sentence(i) for i in range(200))
    stage = Corpus(Rows(rows), min_chars=1, limit=30)
    first = run(stage, context("a"))
    second = run(Corpus(Rows(tuple(reversed(rows))), min_chars=1, limit=30), context("b"))
    drawn = [list(read_table(c.out / "passages", Passage)) for c in (first, second)]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 30
    assert {p.id for p in drawn[0]} != {p.id for p in rows[:30]}
    assert first.tally.rejected == {"over the limit": 170}
    other = run(Corpus(Rows(rows), min_chars=1, limit=30, data_seed=1), context("c"))
    assert list(read_table(other.out / "passages", Passage)) != drawn[0]


def test_a_limit_above_the_corpus_keeps_all(context):
    ctx = run(Corpus(Rows((sentence(1), sentence(2))), min_chars=1, limit=9), context())
    assert ctx.tally.kept == 2


def test_bad_rows_are_listed_with_their_place_and_reported(context, tmp_path, caplog):
    file = tmp_path / "t.jsonl"
    good = json.dumps({"text": "All integers are rational, and all of them are real numbers as well."})
    file.write_text(f"{good}\n{{broken\n{{broken\n")
    ctx = run(Corpus(JsonlReader(str(file)), min_chars=1), context())
    listed = [json.loads(line) for line in (ctx.out / "bad_rows.jsonl").open()]
    assert listed == [{"place": f"{file}:{n}", "reason": "invalid JSON"} for n in (2, 3)]
    assert "2 bad row(s) left out: invalid JSON" in caplog.text and f"{file}:2" in caplog.text


def test_rows_nobody_asked_for_are_counted_but_not_listed(context):
    rows = (sentence(1), BadRow("hub, row 2", "score below 0.5", broken=False))
    ctx = run(Corpus(Rows(rows), min_chars=1), context())
    assert (ctx.out / "bad_rows.jsonl").read_text() == "" and ctx.summary["bad_rows"] == 0
    assert ctx.tally.rejected == {"score below 0.5": 1}


@pytest.mark.parametrize(
    ("rows", "why"),
    [((), "no row at all"), ((BadRow("f:1", "invalid JSON"),), r"1 rows gave a passage \(1 x invalid JSON\)")],
)
def test_an_empty_corpus_is_an_error_that_says_why(context, rows, why):
    with pytest.raises(UserError, match=why):
        Corpus(Rows(rows)).run(context())


@pytest.mark.parametrize("options", [{"chars": 0}, {"min_chars": 3000}, {"limit": 0}])
def test_corpus_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        Corpus(Rows(()), **options)


@pytest.fixture
def passages(tmp_path):
    write_table(tmp_path / "corpus" / "passages", Passage, (sentence(i) for i in range(50)))
    return tmp_path / "corpus"


def test_prompts_are_written_for_every_passage(context, passages):
    ctx = run(Prompts(PromptSet(form="brief"), per_passage=2), context(passages=passages))
    prompts = list(read_table(ctx.out / "prompts", Prompt))
    assert len(prompts) == len({p.id for p in prompts}) == 100
    pairs = {(p.passage_id, p.stage) for p in prompts}
    assert len(pairs) == 100 and len({passage_id for passage_id, _ in pairs}) == 50
    assert sum(v for k, v in ctx.summary.items() if k.startswith("stage/")) == 100


def test_prompts_are_the_same_bytes_each_time(context, passages):
    stage = Prompts(PromptSet(), data_seed=5)
    a, b = (run(stage, context(name, passages=passages)).out / "prompts" / "00000.parquet" for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_more_prompts_than_stages_are_refused():
    with pytest.raises(ValueError, match=r"1\.\.1"):
        Prompts(PromptSet(stages={"amc8": 1}), per_passage=2)


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
    assert [(p.prompt_id, p.answer, p.round, p.generator) for p in problems] == [
        ("p1", "3", 0, "student"),
        ("p7", "9", 0, "student"),
    ]
    assert ctx.tally.rejected == {
        "no problem or solution header": 1,
        "duplicate question": 1,
        "no boxed answer": 1,
        "cut off at the token limit": 1,
    }
    assert ctx.tally.failed == {"generation failed": 1}
    assert ctx.summary == {"kept_share": 2 / 7, "repaired/second problem cut off": 1, "benchmark_questions_compared": 0}
    listed = [json.loads(line) for line in (ctx.out / "rejected.jsonl").open()]
    assert [row["id"] for row in listed] == ["g2", "g3", "g4", "g5"]


def test_samples_of_each_reason_are_limited(clean):
    ctx = clean([generation(n, f"Nothing {n}") for n in range(9)], samples=2)
    assert len((ctx.out / "rejected.jsonl").read_text().splitlines()) == 2
    assert ctx.tally.rejected.total() == 9 and ctx.summary["kept_share"] == 0


def test_rules_and_duplicates_can_be_switched_off(clean):
    bare = "[Problem]\nHow?\n[Solution]\nSo."
    ctx = clean([generation(n, bare) for n in range(3)], rules=None, duplicates=True)
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


def test_rules_are_options(clean):
    ctx = clean([generation(1)], rules=Rules(question_chars=(100, 200)))
    assert ctx.tally.rejected == {"question too short": 1}


def test_no_generations_at_all_is_no_division_by_zero(clean):
    assert clean([]).summary["kept_share"] == 0


def test_a_share_of_the_corpus_is_accounted_for_and_holds_the_smaller_ones(context, tmp_path):
    write_table(tmp_path / "generated" / "generations", Generation, [generation(n) for n in range(60)])

    def ids(share):
        ctx = run(Clean(share=share), context(str(share), generations=tmp_path / "generated"))
        assert ctx.tally.rejected.total() == 60 - ctx.tally.kept
        return {problem.id for problem in read_table(ctx.out / "problems", Problem)}

    quarter, half, whole = ids(0.25), ids(0.5), ids(1.0)
    assert quarter < half < whole and len(whole) == 60
    assert 20 < len(half) < 40


@pytest.mark.parametrize("share", [0, 1.5])
def test_a_share_that_makes_no_sense_is_refused(share):
    with pytest.raises(ValueError, match="share must lie in"):
        Clean(share=share)
