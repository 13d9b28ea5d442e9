"""Influence's gradients, projected and stored, beside a plain training step and beside LESS's procedure.

The plain step is the least that any method can cost: forward and backward over the same rows in the same batches.
LESS's procedure takes one sample at a time and multiplies sixteen gradients by a dense Rademacher matrix, which is too
big to keep and is drawn anew for each sixteen (arXiv 2402.04333 and TRAK's `BasicProjector`).
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from src.modeling.loading import load_tokenizer
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.modeling.training import train
from src.selection.base import Reference
from src.selection.influence.adam import Moments
from src.selection.influence.estimate import Projector, fill
from src.selection.influence.gradients import Encoded, Parameter, PerSampleGradients, batches, encode
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import add_scores, task_vector
from src.selection.influence.store import GradientStore
from src.selection.influence.warmup import load
from tests.perf.measure import Aim, Comparison, Options, in_turns, seconds
from tests.perf.rows import math_rows, model_folder

LAYERS = ("*.lora_*",)
TOKENS = 512
BATCH_TOKENS = 8 * TOKENS
DIMENSION = 8_192
TOGETHER = 16  # gradients that LESS projects at once
COLUMNS = 64  # of the dense matrix that are drawn at once


@dataclass(frozen=True)
class Task:
    """A warmed-up model with Adam's moments, candidates in tokens, and every so-manieth of them by length."""

    model: Any
    moments: Moments
    parameters: list[Parameter]
    rows: list[Encoded]
    few: list[Encoded]
    scratch: Path


def run(options: Options) -> list[Comparison]:
    task = _task(options)
    rows, few = len(task.rows), len(task.few)
    sides = {
        "ours": lambda: rows / ours(task),
        "plain step": lambda: rows / seconds(lambda: plain_step(task)),
        "LESS": lambda: few / seconds(lambda: one_at_a_time(task)),
    }
    speed = in_turns(options.rounds, sides)
    size = sum(parameter.size for parameter in task.parameters)
    note = (
        f"{options.model} model on {task.model.device}, LoRA of rank 8, {size:,} numbers a gradient, {DIMENSION:,} "
        f"projected; {rows} rows of up to {TOKENS} tokens, {few} of them for LESS's procedure"
    )
    return [
        Comparison("samples", "/s", speed["ours"], speed["plain step"], "forward and backward", Aim(0.9), note),
        Comparison("samples", "/s", speed["ours"], speed["LESS"], "LESS's procedure", Aim(6)),
    ]


def _task(options: Options) -> Task:
    tiny = options.model == "tiny"
    count = options.size(512, 48) if tiny else options.size(32, 4)
    few = options.size(64, 16) if tiny else options.size(TOGETHER, 2)
    examples = math_rows()
    base = model_folder(options, examples)
    recipe = Recipe(lr=1e-3, sequence_length=TOKENS, batch_sequences=1, max_steps=4, lora=LoRA(rank=8, alpha=16))
    work = options.scratch / "work"
    warm = examples[:16]
    summary = train(base, warm, recipe, Trainer(), options.scratch / "warm", work, seed=0, checkpoints=[1.0])
    checkpoint = summary.moments[-1]
    model = load(checkpoint, Reference(Path(base), work, options.scratch / "cache"))
    parameters = PerSampleGradients(model, LAYERS).parameters
    for parameter in parameters:
        model.get_parameter(parameter.name).requires_grad_(True)  # PEFT loads an adapter frozen
    file = checkpoint.folder / "adam.safetensors"
    moments = Moments.load(file, checkpoint.step, parameters, recipe, model.device)
    encoded = (row for row in encode(load_tokenizer(base), examples[: 2 * count], TOKENS) if row.response_tokens)
    rows = sorted(itertools.islice(encoded, count), key=lambda row: (len(row.tokens), row.id))
    return Task(model, moments, parameters, rows, rows[:: max(1, len(rows) // few)][:few], options.scratch)


def ours(task: Task) -> float:
    """Seconds for all rows: gradients, directions, projections, storing and scoring."""
    folder = task.scratch / "gradients"
    shutil.rmtree(folder, ignore_errors=True)
    with PerSampleGradients(task.model, LAYERS) as gradients, GradientStore(folder, DIMENSION) as store:
        projector = Projector(gradients, task.moments, Sketch(DIMENSION, seed=0))
        target = {"target": task_vector([projector.project(task.few[:4], "sgd")[0]])}

        def settle() -> None:
            for _ in fill(store, projector, task.rows, "adam", BATCH_TOKENS):
                pass
            add_scores({}, store.blocks(), target, 1.0)

        return seconds(settle)


def plain_step(task: Task) -> None:
    """Forward and backward, the gradient of each batch as a whole, as in training."""
    losses = PerSampleGradients(task.model, LAYERS).losses  # no hooks: those come with its `with` block
    for batch in batches(task.rows, BATCH_TOKENS):
        losses(batch).sum().backward()
        task.model.zero_grad()
    _finish()


def one_at_a_time(task: Task) -> None:
    """A backward pass a sample, Adam's direction, and the dense projection of sixteen of them."""
    for start in range(0, len(task.few), TOGETHER):
        group = [direction(task, row) for row in task.few[start : start + TOGETHER]]
        dense_rademacher(torch.stack(group), DIMENSION, seed=0).cpu()


def direction(task: Task, row: Encoded) -> Tensor:
    """The whole direction of one sample, flat."""
    loss = PerSampleGradients(task.model, LAYERS).losses([row])[0]
    weights = [task.model.get_parameter(parameter.name) for parameter in task.parameters]
    gradients = torch.autograd.grad(loss, weights)
    return torch.cat(_directions(task, gradients))


def _directions(task: Task, gradients: Sequence[Tensor]) -> list[Tensor]:
    return [
        task.moments.direction("adam", parameter.name, 0, gradient.reshape(1, -1))[0]
        for parameter, gradient in zip(task.parameters, gradients)
    ]


def dense_rademacher(gradients: Tensor, dimension: int, seed: int) -> Tensor:
    """rows x n times a random n x dimension matrix of +1 and -1, some columns of it at a time."""
    device = gradients.device
    random = torch.Generator(device).manual_seed(seed)
    projected = torch.empty(len(gradients), dimension, device=device)
    for column in range(0, dimension, COLUMNS):
        signs = torch.empty(gradients.shape[1], COLUMNS, device=device).bernoulli_(0.5, generator=random)
        projected[:, column : column + COLUMNS] = gradients @ signs.mul_(2).sub_(1)
    return projected


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
