from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from src.core import records
from src.core.errors import UserError
from src.core.records import Generation, Passage, Prompt, Score, read_table, write_table
from src.core.stage import Artifact, StageContext, Tally
from src.modeling.sources import Pretrained, TinyLlama
from src.selection.base import Selector
from src.selection.baselines import Length, NoSelection, Random
from src.selection.ranking import Ranking
from src.stages.select import Select


@dataclass(frozen=True, kw_only=True)
class Scored(Selector):
    """Stands in for influence: the longer the response, the better; one candidate cannot be scored."""

    unscored: str = ""

    def rank(self, candidates, reference) -> Ranking:
        scores = {c.id: float(len(c.response)) for c in candidates if c.id != self.unscored}
        skipped = {self.unscored: "no response tokens"} if self.unscored else {}
        return replace(Ranking.of(scores, skipped), agreement={"exact scores": 0.97})


def text(i: int) -> str:
    return f"[Problem]\nWhat is {i} + 1?\n\n[Solution]\n{'Count on. ' * i}So \\boxed{{{i + 1}}}."


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    """Ten prompts in the corpus's order p9..p0; p3 and p7 have generations that cannot be read, p4 has two."""
    ids = [f"p{i}" for i in reversed(range(10))]
    prompts = [Prompt(id, f"passage-{id}", "amc8" if id < "p5" else "college", "cot", f"text {id}") for id in ids]
    prompts.append(Prompt("extra", "passage-extra", "amc8", "cot", "never asked"))

    def generation(id: str, content: str, at: str = "0") -> Generation:
        return Generation(f"g{id}{at}", id, f"passage-{id}", "amc8", "cot", content, "stop", 9, "synthesizer")

    rows = [generation(id, "gibberish" if id in ("p3", "p7") else text(int(id[1]))) for id in sorted(ids)]
    rows.append(generation("p4", text(9), "1"))
    write_table(tmp_path / "candidates" / "generations", Generation, rows)
    write_table(tmp_path / "prompts" / "prompts", Prompt, prompts)
    passages = [Passage(f"passage-{id}", "wiki" if id < "p2" else "arxiv", "...") for id in ids]
    write_table(tmp_path / "passages" / "passages", Passage, passages)
    names = ("candidates", "prompts", "synthesizer", "passages")
    for folder in ("out", "work"):
        (tmp_path / folder).mkdir()
    inputs = {name: Artifact(tmp_path / name) for name in names}
    return StageContext(tmp_path / "out", tmp_path / "work", inputs, tmp_path / "cache")


def run(context: StageContext, selector: Selector) -> list[str]:
    Select(selector=selector).run(context)
    context.tally.check()
    return [prompt.id for prompt in read_table(context.out / "prompts", Prompt)]


def test_best_first_and_every_row_accounted_for(context):
    assert run(context, Scored(fraction=0.3)) == ["p9", "p8", "p6"]
    assert context.tally.as_dict() == {
        "in": 11,
        "kept": 3,
        "rejected": {"no problem or solution header": 2, "not chosen": 5, "second generation of its prompt": 1},
        "failed": {},
    }
    assert context.summary["selected"] == 3 and context.summary["filled_without_score"] == 0
    assert context.summary["spearman_exact scores"] == 0.97
    scores = [(score.id, score.target) for score in read_table(context.out / "scores", Score)]
    assert scores == [(id, "overall") for id in ("p0", "p1", "p2", "p4", "p5", "p6", "p8", "p9")]


def test_a_quota_by_stage_and_source(context):
    """Two of each stage; wiki has but p0 and p1, so what it leaves goes to the best of the rest."""
    assert run(context, Scored(top_k=4, quota={"stage": "equal"})) == ["p9", "p8", "p4", "p2"]
    assert run(context, Scored(top_k=4, quota={"source": {"wiki": 1, "arxiv": 1}})) == ["p9", "p8", "p1", "p0"]
    assert context.summary["beyond_quota"] == 0


@pytest.mark.parametrize(
    ("rule", "expected"), [({"fraction": 0.5}, 5), ({"top_k": 4}, 4), ({"fraction": 1.0}, 10), ({"top_k": 99}, 10)]
)
def test_every_arm_takes_as_many_prompts(context, rule, expected):
    assert {len(run(context, arm(**rule))) for arm in (Scored, Random, NoSelection)} == {expected}


def test_unreadable_prompts_fill_up_only_when_nothing_else_is_left(context):
    assert run(context, Scored(top_k=9, unscored="p9")) == ["p8", "p6", "p5", "p4", "p2", "p1", "p0", "p3", "p7"]
    assert context.summary["filled_without_score"] == 2
    assert context.tally.rejected == {"second generation of its prompt": 1, "no response tokens": 1}


def test_a_threshold_takes_what_reaches_it(context):
    assert run(context, Scored(threshold=70.0)) == ["p9", "p8", "p6"]


def test_a_threshold_that_nothing_reaches_names_the_best(context):
    with pytest.raises(UserError, match=r"selector.threshold=1000.* best has 104"):
        run(context, Scored(threshold=1000.0))


def test_no_selection_keeps_the_order_of_the_prompts(context):
    assert run(context, NoSelection(top_k=3)) == ["p9", "p8", "p6"]


def test_random_depends_on_ids_and_seed_only(context):
    first, second = run(context, Random(top_k=4)), run(context, Random(top_k=4, data_seed=1))
    assert first != second and run(context, Random(top_k=4)) == first
    assert not {"p3", "p7"} & {*first, *second}


def test_the_report_compares_the_selection_with_the_pool(context):
    run(context, Scored(fraction=0.3))
    found = json.loads((context.out / "fidelity.json").read_text())
    assert found["selected"]["stage"] == {"amc8": {"pool": 5, "selected": 0}, "college": {"pool": 5, "selected": 3}}
    assert found["selected"]["source"] == {"arxiv": {"pool": 8, "selected": 3}, "wiki": {"pool": 2, "selected": 0}}
    assert found["spearman"]["response_characters"] == 1.0 and found["agreement"] == {"exact scores": 0.97}
    shown = json.loads((context.out / "samples.json").read_text())
    assert [row["id"] for row in shown["top"]] == ["p9", "p8", "p6"]
    assert [row["id"] for row in shown["bottom"]] == ["p2", "p1", "p0"]


@pytest.mark.slow
def test_memory_does_not_hold_the_texts(context, monkeypatch):
    """A thousand rows more of each kind, 2,250 characters in each: memory knows of their ids, not of their texts."""
    monkeypatch.setattr(records, "BATCH_ROWS", 64)

    def peak(count: int) -> int:
        long, ids = "carry the one, " * 150, [f"p{i:05d}" for i in range(count)]
        folders = {name: context.inputs[name].path for name in ("prompts", "passages", "candidates")}
        write_table(folders["prompts"] / "prompts", Prompt, (Prompt(id, id, "amc8", "cot", long) for id in ids))
        write_table(folders["passages"] / "passages", Passage, (Passage(id, "wiki", long) for id in ids))
        rows = (Generation(id, id, id, "amc8", "cot", text(1) + long, "stop", 9, "synthesizer") for id in ids)
        write_table(folders["candidates"] / "generations", Generation, rows)
        tracemalloc.start()
        Select(selector=Length(top_k=100)).run(replace(context, tally=Tally()))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak(1_300) - peak(300) < 1_200_000  # one text a row would be twice that


def test_nothing_readable_is_an_error_with_reasons(context):
    rows = [Generation("g", "p1", "passage-p1", "amc8", "cot", "gibberish", "stop", 1, "s")]
    write_table(context.inputs["candidates"].path / "generations", Generation, rows)
    with pytest.raises(UserError, match=r"None of the 1 candidate texts.*1 x no problem or solution header"):
        run(context, Random(top_k=1))


def test_candidates_of_another_run_are_refused(context):
    rows = [Generation("g", "unknown", "x", "amc8", "cot", text(1), "stop", 1, "s")]
    write_table(context.inputs["candidates"].path / "generations", Generation, rows)
    with pytest.raises(UserError, match=r"prompts table does not hold, e\.g\. unknown"):
        run(context, Random(top_k=1))


def test_the_reference_model_is_the_synthesizer_or_a_published_model(context, tmp_path, monkeypatch):
    seen = []

    def rank(self, candidates, reference):
        seen.append(reference.model)
        return Ranking.of({c.id: 1.0 for c in candidates})

    monkeypatch.setattr(Scored, "rank", rank)
    (tmp_path / "published").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / "published" / name).write_text("{}")
    run(context, Scored(top_k=1))
    Select(selector=Scored(top_k=1), model=Pretrained(str(tmp_path / "published"))).run(replace(context, tally=Tally()))
    assert seen == [tmp_path / "synthesizer" / "model", tmp_path / "published"]
    with pytest.raises(ValueError, match="model is made in the run"):
        Select(selector=Scored(top_k=1), model=TinyLlama())
