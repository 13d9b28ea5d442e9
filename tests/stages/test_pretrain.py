from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from src.cleaning.gate import Unchecked, write_checked
from src.core.errors import UserError
from src.core.records import Problem, content_id, write_table
from src.core.stage import Artifact, StageContext, Tally
from src.modeling.recipe import Phase, Recipe
from src.modeling.rows import TokenCorpus
from src.modeling.sources import ModelSource, Pretrained
from src.stages.packs import write_packs
from src.stages.pretrain import Pretrain
from src.stages.sft import JsonlSFT, NoSFT, ProceduralSFT, SeveralSFT
from src.text.contamination import Decontamination
from tests.modeling.tiny import CPU, TINY, addition

pytestmark = pytest.mark.slow

RECIPE = Recipe(lr=1e-2, sequence_length=128, batch_sequences=2)


@pytest.fixture
def ctx(tmp_path: Path) -> StageContext:
    rows = [
        Problem(f"q{i}", f"p{i}", "x", "amc8", ("cot", "tool")[i % 2], f"{i} + 1?", f"\\boxed{{{i + 1}}}", None, "t", 1)
        for i in range(20)
    ]
    write_table(
        tmp_path / "clean" / "problems", Problem, [*rows, Problem("e", "p", "x", "s", "cot", "?", "", None, "t", 1)]
    )
    for name in ("out", "work", "cache"):
        (tmp_path / name).mkdir()
    texts = [row.prompt + row.response for row in ProceduralSFT(n=20).examples()]
    TINY.prepare(tmp_path / "base" / "model", lambda: texts, seed=0)
    inputs = {"base": Artifact(tmp_path / "base"), "corpus": Artifact(tmp_path / "clean")}
    return StageContext(tmp_path / "out", tmp_path / "work", inputs, tmp_path / "cache")


@pytest.fixture
def sft(tmp_path: Path) -> JsonlSFT:
    path = tmp_path / "sft.jsonl"
    path.write_text("".join(json.dumps({"input": f"{i}?", "output": str(i)}) + "\n" for i in range(5)))
    return JsonlSFT(str(path))


def run(ctx: StageContext, model: ModelSource, sft: JsonlSFT | NoSFT) -> None:
    Pretrain(model, RECIPE, CPU, sft=sft).run(ctx)
    ctx.tally.check()


def test_it_reads_the_corpus_and_then_the_fine_tuning_set(ctx: StageContext, sft: JsonlSFT) -> None:
    run(ctx, TINY, sft)
    assert (ctx.tally.entered, ctx.tally.kept, dict(ctx.tally.rejected)) == (26, 25, {"empty_response": 1})
    ids = (ctx.work / "rows" / "ids.txt").read_text().split()
    assert ids[:20] == [f"q{i}" for i in range(20)] and len(ids) == 25
    trained, base = (folder / "model" / "model.safetensors" for folder in (ctx.out, ctx.inputs["base"].path))
    assert trained.stat().st_size == base.stat().st_size and trained.read_bytes() != base.read_bytes()


@dataclasses.dataclass(frozen=True)
class Quiz:
    """An exam of one question, which a row of the fine-tuning set asks and another quotes in its answer."""

    asked: str = "What is the next whole number after 3?"

    def questions(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(id="q1", text=self.asked)]


@pytest.mark.parametrize(("unchecked", "read"), [("refuse", 23), ("allow", 25)])
def test_fine_tuning_rows_that_repeat_an_exam_question_are_counted(
    ctx: StageContext, tmp_path: Path, unchecked: Unchecked, read: int
) -> None:
    exam = {"quiz": Quiz()}
    rows = [(f"{i}?", str(i)) for i in range(3)]
    rows += [(exam["quiz"].asked, "4"), ("Ask and answer.", f"{exam['quiz'].asked} It is 4.")]
    path = tmp_path / "sft.jsonl"
    path.write_text("".join(json.dumps({"input": q, "output": a}) + "\n" for q, a in rows))
    write_checked(ctx.inputs["corpus"].path, Decontamination(), Decontamination().index(exam), ["quiz"])
    Pretrain(TINY, RECIPE, CPU, sft=JsonlSFT(str(path)), benchmarks=exam, unchecked=unchecked).run(ctx)
    assert ctx.tally.kept == read
    counts = {name: n for name, n in ctx.summary.items() if name.startswith("sft_rows")}
    assert counts == {"sft_rows_that_repeat" if unchecked == "allow" else "sft_rows_left_out": 2}


def test_the_model_says_where_it_comes_from(ctx: StageContext, sft: JsonlSFT) -> None:
    run(ctx, TINY, sft)
    card = (ctx.out / "model" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "Base: a Llama of 2 layers and width 32, made in the run. The loss falls on responses." in card
    corpus = ctx.inputs["corpus"].path
    assert f"- `corpus`: {corpus.parent.name}/{corpus.name}\n" in card
    assert "- rows: 26 rows, 25 kept, 1 empty response dropped\n" in card
    assert f"| tokens read | {ctx.summary['tokens']:,} |" in card
    recipe = yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])
    assert (recipe["lr"], recipe["sequence_length"], recipe["seed"]) == (0.01, 128, 0)


def test_every_reading_of_a_row_is_written_down(ctx: StageContext, sft: JsonlSFT) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=2.0, held_out=0.2)
    Pretrain(TINY, recipe, CPU, sft=sft).run(ctx)
    packs = pq.read_table(ctx.out / "packs").to_pylist()
    read = Counter(row["id"] for row in packs)
    assert set(read.values()) == {2} and len(read) == ctx.tally.kept  # each once an epoch; nobody else is there
    assert {row["corpus"] for row in packs} == {"corpus", "sft"} and {row["epoch"] for row in packs} == {1, 2}
    assert sum(row["tokens"] for row in packs) == ctx.summary["tokens"]
    assert {row["step"] for row in packs} == set(range(1, int(ctx.summary["steps"]) + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 2.0, "order": "in_order"},
        {"epochs": 1.5, "max_steps": 5},
        {"packing": False, "overlong": "split"},
        {"epochs": None, "phases": (Phase({"corpus": 3.0, "sft": 1.0}, 1_024), Phase({"sft": 1.0}, 512))},
    ],
)
def test_the_packs_are_those_that_training_reads(tmp_path: Path, change: dict) -> None:
    """Against the loader itself: the tokens at a row's place in its sequence are that row's."""
    from src.modeling.data import micro_batch
    from src.modeling.loading import load_tokenizer
    from src.modeling.plan import make_plan
    from src.modeling.tokenizing import tokenize

    base = TINY.prepare(tmp_path / "base", lambda: ["some text 1 + 1"], seed=0)
    recipe = dataclasses.replace(RECIPE, sequence_length=64, batch_sequences=1, **change)  # so that a boundary is exact
    examples = [dataclasses.replace(addition(i), id=content_id(i)) for i in range(120)]
    corpora = [TokenCorpus("corpus", lambda: examples[:90]), TokenCorpus("sft", lambda: examples[90:])]
    rows = tokenize(corpora, load_tokenizer(base), recipe, 40, tmp_path / "work" / "rows")
    count = write_packs(tmp_path / "packs", tmp_path / "work", recipe, [recipe.order] * 2, seed=3)
    plan = make_plan(rows, recipe, (recipe.order,) * 2, seed=3)
    sequences = [sequence for step in range(plan.steps) for sequence in plan.sequences(step)]
    packs = pq.read_table(tmp_path / "packs").to_pylist()
    assert len(packs) == count == sum(map(len, sequences)) > 0
    assert [pack["id"] for pack in packs] == sorted(pack["id"] for pack in packs)
    places = {(pack["sequence"], pack["start"]): pack for pack in packs}
    assert len(places) == count
    for number, sequence in enumerate(sequences):
        starts = np.cumsum([0, *(rows.lengths[row] for row in sequence)])
        assert micro_batch(rows, sequence, "all").tokens.numel() == starts[-1]
        for row, start in zip(sequence.tolist(), starts.tolist(), strict=False):
            pack = places[number, start]
            assert [pack["id"]] == rows.ids([row]) and pack["tokens"] == rows.lengths[row]
            assert pack["corpus"] == rows.corpora[rows.corpus[row]]
            assert pack["step"] == number // recipe.batch_sequences + 1
            part = [b.name for b in plan.boundaries if b.step < pack["step"]][-1]
            assert pack["phase"] == (None if not recipe.phases else 2 if part == "100% sft" else 1)
            if not recipe.phases:
                assert part == f"{pack['corpus']}, epoch {pack['epoch']}"


def test_several_sets_and_corpora_are_weighed_by_name(ctx: StageContext, sft: JsonlSFT) -> None:
    ctx = dataclasses.replace(ctx, inputs={**ctx.inputs, "corpus_2": ctx.inputs["corpus"]})
    phases = (Phase({"corpus": 1.0, "corpus_2": 1.0}, 1_024), Phase({"mine": 1.0, "drill": 1.0}, 512))
    recipe = dataclasses.replace(RECIPE, epochs=None, phases=phases)
    Pretrain(TINY, recipe, CPU, sft=SeveralSFT({"mine": sft, "drill": ProceduralSFT(n=4)})).run(ctx)
    ctx.tally.check()
    assert (ctx.tally.kept, ctx.summary["steps"]) == (20 + 20 + 5 + 4, 6)
    points = map(json.loads, (ctx.out / "metrics.jsonl").read_text().splitlines())
    assert [point["part"] for point in points] == [0, 0, 0, 0, 1, 1]


def test_held_out_rows_are_counted_and_give_a_loss_of_each_corpus(ctx: StageContext) -> None:
    recipe = dataclasses.replace(RECIPE, held_out=0.3, overlong="split")
    Pretrain(TINY, recipe, CPU, sft=ProceduralSFT(n=20)).run(ctx)
    ctx.tally.check()
    assert 5 <= ctx.tally.rejected["held_out"] <= 20
    assert ctx.summary["rows_held_out"] == ctx.tally.rejected["held_out"]
    assert ctx.summary["val_loss/corpus"] > 0 < ctx.summary["val_loss/sft"]


def test_a_model_that_comes_trained_is_the_start_itself(ctx: StageContext) -> None:
    named = Pretrained(str(ctx.inputs["base"].path / "model"))
    run(dataclasses.replace(ctx, inputs={"corpus": ctx.inputs["corpus"]}), named, NoSFT())
    from_name = (ctx.out / "model" / "model.safetensors").read_bytes()
    other = dataclasses.replace(ctx, out=ctx.out / "other", work=ctx.work / "other", tally=Tally())
    other.out.mkdir()
    other.work.mkdir()
    run(other, TINY, NoSFT())
    assert (other.out / "model" / "model.safetensors").read_bytes() == from_name


@pytest.mark.slow
def test_a_killed_stage_goes_on_and_ends_the_same(
    ctx: StageContext, sft: JsonlSFT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = dataclasses.replace(ctx, out=tmp_path / "calm", work=tmp_path / "calm-work", tally=Tally())
    for folder in (calm.out, calm.work):
        folder.mkdir()
    often = dataclasses.replace(CPU, checkpoint_minutes=0)
    stage = Pretrain(TINY, dataclasses.replace(RECIPE, epochs=8), often, sft=sft)
    stage.run(calm)

    class Killed(BaseException):
        pass

    def die_at_step(self: StageContext, values: object, step: int) -> None:
        if step == 5:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(StageContext, "log", die_at_step)
        stage.run(ctx)
    assert list((ctx.work / "checkpoints").glob("step-*"))
    assert not (ctx.out / "model").exists()
    stage.run(dataclasses.replace(ctx, tally=Tally()))
    model = "model/model.safetensors"
    assert (ctx.out / model).read_bytes() == (calm.out / model).read_bytes()


def test_fine_tuning_rows_keep_the_files_order(sft: JsonlSFT) -> None:
    assert [row.prompt for row in sft.examples()] == [f"{i}?" for i in range(5)]
    assert len(sft.identity()["sha256"]) == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"input": "a", "output": "b"}\n{"input": "a"\n', "line 2: no JSON"),
        ('{"prompt": "a"}\n', "line 1: expected texts under 'input' and 'output', found prompt"),
        ("[1]\n", "found list"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        list(JsonlSFT(str(path)).examples())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = JsonlSFT(str(tmp_path / "none.jsonl"))
    with pytest.raises(UserError, match="There is no file"):
        missing.identity()
    with pytest.raises(UserError, match="No such file"):
        list(missing.examples())


def test_procedural_rows_are_in_the_pre_training_format() -> None:
    rows = list(ProceduralSFT(n=8, seed=1).examples())
    assert len(rows) == 8 and all(row.prompt.startswith("## Question\n") for row in rows)
    assert all("\\boxed{" in row.response for row in rows)
    assert rows == list(ProceduralSFT(n=8, seed=1).examples())
