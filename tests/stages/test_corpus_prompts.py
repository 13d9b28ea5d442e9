"""The stages around the texts: corpus and prompts."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from src.core.errors import UserError
from src.core.records import Passage, Prompt, content_id, read_table, write_table
from src.core.stage import Artifact, StageContext
from src.corpus.base import BadRow, Reader, passage
from src.corpus.jsonl import JsonlReader
from src.prompts.sets import PromptSet
from src.stages.corpus import Corpus
from src.stages.prompts import Prompts

pytestmark = pytest.mark.slow


@pytest.fixture
def context(tmp_path):
    def make(name="out", **inputs):
        out = tmp_path / name
        for folder in (out, tmp_path / "work"):
            folder.mkdir(exist_ok=True)
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


@pytest.mark.parametrize("limit", [1, 2, 7, 64, 199, 200, 500])
def test_a_limit_draws_those_that_hash_lowest_in_that_order(context, limit):
    rows = tuple(sentence(i) for i in range(200))
    ctx = run(Corpus(Rows(rows), min_chars=1, limit=limit, data_seed=3), context())
    lowest = sorted(rows, key=lambda row: content_id("draw", 3, row.id))[:limit]
    assert list(read_table(ctx.out / "passages", Passage)) == lowest
    assert ctx.tally.rejected == ({"over the limit": 200 - limit} if limit < 200 else {})


@dataclass(frozen=True)
class LongTexts(Reader):
    count: int

    def read(self):
        for n in range(self.count):
            yield passage("s", f"Text {n}. " + "All of it is long. " * 100)


def test_a_draw_holds_no_texts(context):
    """2 kB each: the 18,000 that are drawn would be 36 MB; batches on their way to the table are 8."""
    tracemalloc.start()
    try:
        ctx = run(Corpus(LongTexts(20_000), limit=18_000), context())
        assert ctx.tally.kept == 18_000 and tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


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
