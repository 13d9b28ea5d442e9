from __future__ import annotations

import dataclasses
import itertools
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from src.core.errors import UserError
from src.core.progress import Progress
from src.core.records import Example
from src.modeling.loading import load_model
from src.modeling.recipe import LoRA, Recipe
from src.modeling.schedules import Linear
from src.modeling.shape import Shape
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.candidates import ById
from src.selection.fidelity import spearman
from src.selection.influence import Influence, collect, estimate
from src.selection.influence.adam import Moments
from src.selection.influence.gradients import PerSampleGradients
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import mean_cosines, task_vector
from src.selection.influence.store import GradientStore
from src.selection.influence.warmup import warm_up
from src.selection.packed import batches, encode
from src.selection.ranking import Ranking
from tests.selection.conftest import Families, example

pytestmark = pytest.mark.slow

LORA = LoRA(rank=8, alpha=16, dropout=0.1)
WARMUP = Recipe(lr=3e-3, schedule=Linear(), epochs=4, sequence_length=256, batch_sequences=2, lora=LORA)


@pytest.fixture(scope="module")
def model(trained: Path) -> Path:
    return trained


def reference(model: Path, tmp_path: Path, name: str = "a", warm: Reference | None = None) -> Reference:
    """warm: whose warm-up is taken over, which the same options would train again on the same candidates."""
    (tmp_path / name).mkdir(exist_ok=True)
    if warm is not None:
        shutil.copytree(warm.work / "warmup", tmp_path / name / "work" / "warmup")
    return Reference(model, tmp_path / name / "work", tmp_path / name / "cache", Trainer(threads=1))


def influence(**options) -> Influence:
    given = {"warmup": WARMUP, "targets": {"sharing": Families((3,))}, "fraction": 0.1, "dimension": 1024}
    return Influence(**{**given, "checkpoints": 2, "warmup_fraction": 0.3, "batch_rows": 8, **options})


@pytest.fixture(scope="module")
def warm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Where a warm-up on two hundred candidates was trained."""
    found = reference(model, tmp_path_factory.mktemp("warm"))
    warm_up(influence(), ById(pool(20)), found)
    return found


@pytest.fixture(scope="module")
def straight(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ranking, Reference]:
    """Fifty candidates, ranked without any trouble, and where."""
    where = reference(model, tmp_path_factory.mktemp("straight"))
    return influence().rank(pool(5), where), where


def pool(each: int) -> list[Example]:
    return [example(family, i) for family in range(10) for i in range(each)]


def average_precision(ranking: Ranking, family: str, candidates: list[Example]) -> float:
    """Of the order by the score for the target `family`, where that family's candidates are the relevant ones."""
    relevant = {candidate.id for candidate in candidates if candidate.source == family}
    scores = sorted(zip(-ranking.scores[family], ranking.ids, strict=True))
    hits, total = 0, 0.0
    for place, (_, id) in enumerate(scores, 1):
        if id in relevant:
            hits += 1
            total += hits / place
    return total / len(relevant)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("direction", "of_targets", "curvature", "least"),
    [
        ("adam", "sgd", None, 0.8),
        ("preconditioned", "preconditioned", None, 0.8),
        ("preconditioned", "preconditioned", 10.0, 0.95),
    ],
)
def test_planted_relevance_comes_out_on_top(model, warm, tmp_path, direction, of_targets, curvature, least):
    """Every family in turn is the target; a random order would have an average precision of 0.1."""
    candidates = pool(20)
    targets = {f"family{i}": Families((i,), 20) for i in range(10)}
    selector = influence(targets=targets, direction=direction, target_direction=of_targets, curvature=curvature)
    ranking = selector.rank(candidates, reference(model, tmp_path, warm=warm))
    found = [average_precision(ranking, family, candidates) for family in targets]
    assert sum(found) / len(found) >= least, found
    assert ranking.facts["checkpoints"] == 2 and ranking.facts["scored_exactly"] == 64
    assert np.isfinite(ranking.loss).all() and len(ranking.loss) == 200
    assert ranking.agreement["exact scores, dimension 4,096"] >= 0.98
    assert ranking.agreement["exact scores, dimension 64"] < ranking.agreement["exact scores, dimension 1,024, as used"]
    assert {"checkpoint 1 alone", "checkpoint 2 alone"} <= ranking.agreement.keys()
    assert ranking.vectors.shape == (200, estimate.VECTOR)


@pytest.mark.slow
def test_what_sixteen_bits_do_to_the_ranks_is_told(model, straight, tmp_path):
    lowered = influence(warmup=dataclasses.replace(WARMUP, precision="bf16"))
    bars: list[Progress] = []

    def progress(*words, **options):
        bars.append(Progress(*words, **options))
        return bars[-1]

    ranking = lowered.rank(pool(5), dataclasses.replace(reference(model, tmp_path), progress=progress))
    parts = ("gradients of targets", "gradients", "exact scores", "exact scores in float32")
    told = {f"{part} at checkpoint {i} of 2" for part in parts for i in (1, 2)}
    assert told <= {bar.what for bar in bars} and all(bar.done == bar.total for bar in bars)
    assert 0.95 <= ranking.agreement["exact scores, computed in float32"] < 1
    assert "exact scores, computed in float32" not in straight[0].agreement


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_each_model_is_gone_before_another_is_loaded(model, tmp_path, monkeypatch, workers):
    real, there, jobs = estimate.LoadedCheckpoint, [], []

    def loads(job):
        assert not [found for found in there if found() is not None]
        loaded = real(job)
        there.append(weakref.ref(loaded.model))
        jobs.append(job)
        return loaded

    def together(job, candidates, workers, bar):
        assert there[-1]() is None, "the first worker's model would lie beside it"
        with real(job) as loaded:
            collect.collect(loaded, candidates, bar)

    monkeypatch.setattr(estimate, "LoadedCheckpoint", loads)
    monkeypatch.setattr(estimate, "collect_together", together)
    lowered = influence(warmup=dataclasses.replace(WARMUP, precision="bf16"), fidelity_rows=4)
    where = dataclasses.replace(reference(model, tmp_path), workers=workers)
    where = dataclasses.replace(where, trainer=dataclasses.replace(where.trainer, attention="sdpa"))
    lowered.rank(pool(1), where)
    assert [(job.recipe.precision, job.trainer.attention) for job in jobs] == [
        ("bf16", "sdpa"), ("float32", "auto"), ("bf16", "sdpa"), ("float32", "auto")
    ]  # fmt: skip


@pytest.mark.slow
def test_a_card_without_room_for_float32_goes_on_without_it(model, tmp_path, monkeypatch, caplog):
    real, seen = estimate.LoadedCheckpoint, []

    def loads(job):
        seen.append(job.recipe.precision)
        if job.recipe.precision == "float32":
            raise torch.OutOfMemoryError
        return real(job)

    monkeypatch.setattr(estimate, "LoadedCheckpoint", loads)
    lowered = influence(warmup=dataclasses.replace(WARMUP, precision="bf16"))
    ranking = lowered.rank(pool(3), reference(model, tmp_path))
    assert seen == ["bf16", "float32", "bf16"] and len(ranking.ids) == 30
    assert not any("float32" in name for name in ranking.agreement)
    assert "no room" in caplog.text


@pytest.mark.slow
def test_same_choice_whatever_the_batch_the_order_or_a_kill(model, straight, tmp_path, monkeypatch):
    (straight, warm), candidates = straight, pool(5)
    other = influence(batch_rows=1).rank(candidates[::-1], reference(model, tmp_path, "b"))
    killed = reference(model, tmp_path, "c", warm)
    real = collect.fill

    def dies_after_some(store, projector, rows, direction, batch_tokens):
        yield from real(store, projector, rows[:20], direction, batch_tokens)
        raise KeyboardInterrupt

    monkeypatch.setattr(collect, "fill", dies_after_some)
    with pytest.raises(KeyboardInterrupt):
        influence().rank(candidates, killed)
    monkeypatch.setattr(collect, "fill", real)
    resumed = influence().rank(candidates, killed)
    for ranking in (other, resumed):
        assert [id for id, _ in ranking.order()][:12] == [id for id, _ in straight.order()][:12]
        assert dict(ranking.order()) == pytest.approx(dict(straight.order()), abs=2e-3)


@pytest.mark.slow
def test_same_choice_whatever_the_number_of_processes(model, tmp_path, monkeypatch):
    selector, candidates = influence(checkpoints=1, fidelity_rows=0), pool(3)
    here = reference(model, tmp_path, "alone")
    alone = selector.rank(candidates, here)
    monkeypatch.setattr(collect, "fill", lambda *args: pytest.fail("done by this process"))
    shared = selector.rank(candidates, dataclasses.replace(reference(model, tmp_path, "shared", here), workers=2))
    assert [id for id, _ in shared.order()][:9] == [id for id, _ in alone.order()][:9]
    assert dict(shared.order()) == pytest.approx(dict(alone.order()), abs=1e-3)


@pytest.mark.slow
def test_scores_are_computed_once_for_all_rules(model, tmp_path, monkeypatch):
    at = reference(model, tmp_path)
    first = influence().rank(pool(2), at)
    monkeypatch.setattr(estimate, "_estimate", lambda *args: pytest.fail("computed again"))
    again = influence(fraction=None, threshold=0.2).rank(pool(2), dataclasses.replace(at, work=tmp_path / "elsewhere"))
    assert list(again.rows()) == list(first.rows()) and (again.vectors == first.vectors).all()
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        influence(projection_seed=1).rank(pool(2), at)


@pytest.mark.slow
def test_candidates_without_a_usable_gradient_are_named(model, tmp_path):
    empty = Example("empty", "x", "## Question\nNothing\n", "")
    long = Example("long", "x", "## Question\n" + "Very long. " * 60, "too late")
    ranking = influence().rank([*pool(2), empty, long], reference(model, tmp_path))
    assert ranking.skipped == {"empty": "no response tokens", "long": "no response tokens"}
    assert len(ranking.order()) == 20


@pytest.mark.parametrize("curvature", [None, 10.0])
def test_no_usable_gradient_at_all_is_told_with_the_reasons(tmp_path, curvature):
    where, options = reference(tmp_path, tmp_path), influence(curvature=curvature)
    made = estimate._Estimate(options, ById(pool(1)), options.target_examples(), where)
    with GradientStore(tmp_path / "store", 8) as store:
        for number, candidate in enumerate(pool(1)):
            store.skip(candidate.id, "gradient is zero" if number else "no response tokens")
        with pytest.raises(UserError, match=r"None of the 10 .*: 9 x gradient is zero, 1 x no response tokens"):
            made._add_store(store, {"sharing": torch.randn(2, 8)}, 1.0)


@pytest.mark.slow
def test_a_broken_gradient_does_not_touch_its_neighbours(model, tmp_path, monkeypatch):
    """One token's embedding is not a number: the rows that hold it are skipped, the others keep their gradients."""
    candidates = pool(2)
    real = collect.load

    def poisoned(*args):
        found = real(*args)
        token = collect.load_tokenizer(model)("B").input_ids[0]
        head, embedding = found.get_output_embeddings(), found.get_input_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone())
        with torch.no_grad():
            embedding.weight[token] = float("nan")
        return found

    monkeypatch.setattr(collect, "load", poisoned)
    bad = {c.id for c in candidates if "B" in c.prompt + c.response}
    ranking = influence().rank(candidates, reference(model, tmp_path))
    assert bad and ranking.skipped == dict.fromkeys(sorted(bad), "gradient is not finite")
    assert {id for id, _ in ranking.order()} == {c.id for c in candidates} - bad


def test_a_target_without_dev_examples_is_refused_by_name(model, tmp_path):
    with pytest.raises(UserError, match=r"target 'sharing' has no training or dev examples.*"):
        influence(targets={"sharing": Families((3,), 0)}).rank(pool(1), reference(model, tmp_path))


def test_a_model_with_no_matching_layer_is_refused_with_the_names_there_are(model, tmp_path):
    with pytest.raises(
        UserError, match=r"(?s)No linear layer of the model matches \*\.lora_\*.*selector\.layers.*q_proj"
    ):
        influence(warmup=dataclasses.replace(WARMUP, lora=None)).rank(pool(1), reference(model, tmp_path))


def test_layers_that_the_warmup_does_not_train_are_refused(model, tmp_path):
    with pytest.raises(UserError, match=r"m\..*gate_proj\.weight is missing"):
        influence(layers=["*.gate_proj"]).rank(pool(1), reference(model, tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": {}}, "targets is empty"),
        ({"targets": {"x": 3}}, "target 'x' is no benchmark with dev examples, but a int"),
        ({"warmup_fraction": 0.0}, r"warmup_fraction must lie in \(0, 1\]"),
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"curvature": 0}, "curvature must be above 0, such as 10, or null"),
        ({"top_k": 3}, "not fraction and top_k"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        influence(**options)


def test_the_plan_holds_the_exact_scores_in_float32():
    seven_billion, trainer = Shape(4096, 32, 1024, 14336, 32000), Trainer(device="cuda", activation_checkpointing=True)

    def memory(precision: str, rows: int) -> float:
        recipe = dataclasses.replace(WARMUP, precision=precision)
        cost = influence(warmup=recipe, fidelity_rows=rows).estimate(seven_billion, trainer, 1e6)
        return cost["gb_per_device"]

    assert memory("bf16", 0) < seven_billion.parameters * 4 / 1e9 < memory("bf16", 64)
    assert memory("float32", 64) == memory("float32", 0)


class Unprojected:
    """In place of a sketch: the whole gradient, for comparison."""

    def __init__(self, gradients: PerSampleGradients):
        sizes = [parameter.size for parameter in gradients.parameters]
        self.dimension = sum(sizes)
        self.starts = dict(zip(gradients.parameters, itertools.accumulate([0, *sizes])))

    def add(self, into, parameter, first, values) -> None:
        start = self.starts[parameter] + first
        into[:, start : start + values.shape[1]] += values


@pytest.mark.parametrize("direction", ["adam", "sgd"])
def test_projected_scores_rank_as_exact_ones_do(model, direction):
    tokenizer = collect.load_tokenizer(model)
    rows = encode(tokenizer, pool(6), 256)
    dev = encode(tokenizer, list(Families((3,), 10).dev_examples()), 256)
    found = []
    with PerSampleGradients(load_model(model, "sdpa"), ["*_proj"]) as gradients:
        generator = torch.Generator().manual_seed(0)
        mean = {p.name: torch.randn(p.size, generator=generator) * 1e-4 for p in gradients.parameters}
        square = {name: values.square() for name, values in mean.items()}
        for sketch in (Sketch(8192, 0), Unprojected(gradients)):
            projector = collect.Projector(gradients, Moments(10, mean, square), sketch)
            task = task_vector([projector.project(dev, "sgd")[0]])
            blocks = (projector.project(batch, direction)[0] for batch in batches(rows, 2048))
            found.append(torch.cat([mean_cosines({"t": task}, block) for block in blocks])[:, 0].tolist())
    assert spearman(*found) >= 0.98
