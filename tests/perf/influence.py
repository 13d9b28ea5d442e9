"""Influence's gradients, projected and stored, beside a plain training step and beside two other tools' ways.

The plain step is what training on the same rows costs: forward and backward through the LoRA model, packed in the same
batches, by the training module's own loss. LESS's procedure takes one sample at a time and projects sixteen gradients
with TRAK's `BasicProjector` (arXiv 2402.04333; `pip install --no-deps traker`, else a stand-in for it that draws the
same dense Rademacher matrix in the same blocks). bergson, where installed, reads the same rows in batches of as many
tokens and projects each LoRA factor to 6 x 6: 8,640 numbers for SmolLM2, about as many as ours.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from src.modeling.loading import load_tokenizer
from src.modeling.loss import loss_sum
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.modeling.training import train
from src.selection.influence.adam import Moments
from src.selection.influence.collect import Projector, fill
from src.selection.influence.gradients import PerSampleGradients
from src.selection.influence.layers import Parameter
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import mean_cosines, task_vector
from src.selection.influence.store import GradientStore
from src.selection.influence.warmup import load
from src.selection.packed import Encoded, batches, encode, pack
from tests.perf import influence_memory
from tests.perf.measure import Aim, Comparison, Options, in_turns, seconds
from tests.perf.rows import math_rows, model_folder

LAYERS = ("*.lora_*",)
TOKENS = 512
BATCH_TOKENS = 8 * TOKENS
DIMENSION = 8_192
TOGETHER = 16  # gradients that LESS projects at once
COLUMNS = 128  # of the dense matrix that are drawn at once, as in LESS


@dataclass(frozen=True)
class Task:
    """A warmed-up model with Adam's moments, and candidates in tokens; those of `group` are for LESS's procedure."""

    model: Any
    moments: Moments
    parameters: list[Parameter]
    rows: list[Encoded]
    group: list[Encoded]
    scratch: Path


def run(options: Options) -> list[Comparison]:
    task = _task(options)
    rows, few = task.rows, min(task.rows, task.group, key=len)
    quick = {
        "ours": lambda: len(rows) / ours(task, rows),
        "plain step": lambda: len(rows) / seconds(lambda: plain_step(task, rows)),
    }
    slow = {
        "ours": lambda: len(few) / ours(task, few),
        "LESS": lambda: len(task.group) / seconds(lambda: one_at_a_time(task)),
    }
    if find_spec("bergson"):
        slow["bergson"] = lambda: len(few) / bergson(task, few)
    tiny = options.model == "tiny"
    speed = in_turns(options.rounds, quick, warm_up=tiny)
    beside = in_turns(options.rounds if tiny else 1, slow, warm_up=tiny)
    size = sum(parameter.size for parameter in task.parameters)
    note = (
        f"{options.model} model on {task.model.device}, LoRA of rank 8, {size:,} numbers a gradient, {DIMENSION:,} "
        f"projected; {len(rows)} rows of up to {TOKENS} tokens, {sum(len(row.tokens) for row in rows):,} in all, "
        f"{len(few)} beside bergson, {len(task.group)} for LESS, with {'TRAK' if find_spec('trak') else 'a stand-in'}"
    )
    found = [
        Comparison("samples", "/s", speed["ours"], speed["plain step"], "forward and backward", Aim(0.9), note),
        Comparison("samples", "/s", beside["ours"], beside["LESS"], "LESS's procedure", Aim(6)),
    ]
    if "bergson" in beside:
        found.append(Comparison("samples", "/s", beside["ours"], beside["bergson"], "bergson", Aim(2)))
    return [*found, influence_memory.run(options)] if tiny else found


def _task(options: Options) -> Task:
    tiny = options.model == "tiny"
    count = options.size(512, 48) if tiny else options.size(8, 4)
    group = options.size(4 * TOGETHER, TOGETHER) if tiny else options.size(TOGETHER, 2)
    examples = math_rows()
    base = model_folder(options, examples)
    recipe = Recipe(lr=1e-3, sequence_length=TOKENS, batch_sequences=1, max_steps=4, lora=LoRA(rank=8, alpha=16))
    work = options.scratch / "work"
    summary = train(base, examples[:16], recipe, Trainer(), options.scratch / "warm", work, seed=0, checkpoints=[1.0])
    checkpoint = summary.optimizer_checkpoints[-1]
    model = load(checkpoint, Path(base), Trainer(), recipe)
    parameters = PerSampleGradients(model, LAYERS).parameters
    for parameter in parameters:
        model.get_parameter(parameter.name).requires_grad_(True)  # PEFT loads an adapter frozen
    file = checkpoint.folder / "adam.safetensors"
    moments = Moments.load(file, checkpoint.step, parameters, recipe, model.device)
    there = max(count, group)
    encoded = (row for row in encode(load_tokenizer(base), examples[: 2 * there], TOKENS) if row.response_tokens)
    rows = sorted(itertools.islice(encoded, there), key=lambda row: (len(row.tokens), row.id))
    return Task(model, moments, parameters, rows[:: there // count], rows[:: there // group], options.scratch)


def ours(task: Task, rows: list[Encoded]) -> float:
    """Seconds for the rows: gradients, directions, projections, storing and scoring."""
    folder = task.scratch / "gradients"
    shutil.rmtree(folder, ignore_errors=True)
    with PerSampleGradients(task.model, LAYERS) as gradients, GradientStore(folder, DIMENSION) as store:
        projector = Projector(gradients, task.moments, Sketch(DIMENSION, seed=0))
        target = {"target": task_vector([projector.project(rows[:2], "sgd")[0]])}

        def settle() -> None:
            for _ in fill(store, projector, rows, "adam", BATCH_TOKENS):
                pass
            for block in store.blocks():
                mean_cosines(target, block.rows)

        return seconds(settle)


def plain_step(task: Task, rows: list[Encoded]) -> None:
    """Forward and backward, the gradient of each batch as a whole, as in training."""
    attention = task.model.get_base_model().config._attn_implementation
    for batch in batches(rows, BATCH_TOKENS):
        loss_sum(task.model, pack(batch).to(task.model.device), attention).backward()
        task.model.zero_grad()
    _finish()


def one_at_a_time(task: Task) -> None:
    """A backward pass a sample, Adam's direction, and the dense projection of sixteen of them."""
    size = sum(parameter.size for parameter in task.parameters)
    project = trak_projector(size, task.model.device) if find_spec("trak") else dense_rademacher
    for start in range(0, len(task.group), TOGETHER):
        group = [direction(task, row) for row in task.group[start : start + TOGETHER]]
        project(torch.stack(group)).cpu()


def trak_projector(size: int, device: Any) -> Callable[[Tensor], Tensor]:
    """As LESS sets it up, but in float32: half precision is slower still on a CPU."""
    from trak.projectors import BasicProjector, ProjectionType

    kind, dtype = ProjectionType.rademacher, torch.float32
    projector = BasicProjector(size, DIMENSION, 0, kind, device, block_size=COLUMNS, dtype=dtype)
    return lambda gradients: projector.project(gradients, model_id=0)


def bergson(task: Task, few: list[Encoded]) -> float:
    """Seconds of bergson's own collection over the same rows, the model loaded; from tokens to its index on disk."""
    from bergson import IndexConfig, collect_gradients
    from bergson.data import allocate_batches
    from bergson.utils.worker_utils import create_processor, extract_peft_target_modules
    from datasets import Dataset

    folder = task.scratch / "bergson"
    shutil.rmtree(folder, ignore_errors=True)
    rows = [
        {
            "input_ids": row.tokens,
            "labels": [-100] * row.start + row.tokens[row.start :],
            "length": len(row.tokens),
        }
        for row in few
    ]
    config = IndexConfig(
        run_path=str(folder),
        precision="fp32",
        projection_dim=6,
        loss_reduction="mean",
        token_batch_size=BATCH_TOKENS,
        overwrite=True,
    )
    config.partial_run_path.mkdir(parents=True, exist_ok=True)
    layers = extract_peft_target_modules(task.model)
    processor = create_processor(task.model, config, layers)
    cut = allocate_batches([row["length"] for row in rows], BATCH_TOKENS)
    data = Dataset.from_list(rows)
    with _attention(task.model, "sdpa"):
        return seconds(
            lambda: collect_gradients(task.model, data, processor, config, batches=cut, target_modules=layers)
        )


@contextmanager
def _attention(model: Any, kernel: str) -> Iterator[None]:
    config = model.get_base_model().config
    before, config._attn_implementation = config._attn_implementation, kernel
    yield
    config._attn_implementation = before


def direction(task: Task, row: Encoded) -> Tensor:
    """The whole direction of one sample, flat."""
    tokens = torch.tensor([row.tokens], device=task.model.device)
    labels = tokens.clone()
    labels[:, : row.start] = -100
    loss = task.model(input_ids=tokens, labels=labels, use_cache=False).loss
    weights = [task.model.get_parameter(parameter.name) for parameter in task.parameters]
    gradients = torch.autograd.grad(loss, weights)
    return torch.cat(_directions(task, gradients))


def _directions(task: Task, gradients: Sequence[Tensor]) -> list[Tensor]:
    return [
        task.moments.direction("adam", parameter.name, 0, gradient.reshape(1, -1))[0]
        for parameter, gradient in zip(task.parameters, gradients)
    ]


def dense_rademacher(gradients: Tensor) -> Tensor:
    """rows x n times a random n x dimension matrix of +1 and -1, some columns of it at a time."""
    device = gradients.device
    random = torch.Generator(device).manual_seed(0)
    projected = torch.empty(len(gradients), DIMENSION, device=device)
    for column in range(0, DIMENSION, COLUMNS):
        signs = torch.empty(gradients.shape[1], COLUMNS, device=device).bernoulli_(0.5, generator=random)
        projected[:, column : column + COLUMNS] = gradients @ signs.mul_(2).sub_(1)
    return projected


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
