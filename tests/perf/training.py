"""Our training beside a bare PyTorch loop, and beside transformers' Trainer with a padding collator.

All three read the same rows and update as often. The loop is given the very batches that ours packs, as tensors, ahead
of time: what it leaves out is everything but forward, backward, clipping and the optimizer. The Trainer draws as many
rows a forward pass and a step as ours has on average, and pads them to the longest.
"""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from src.core.records import Example
from src.modeling import attention, loading
from src.modeling.data import Loader, StepBatch
from src.modeling.loss import loss_sum
from src.modeling.plan import Plan, make_plan
from src.modeling.recipe import Recipe
from src.modeling.rows import TokenCorpus, TokenRows
from src.modeling.tokenizing import tokenize
from src.modeling.trainer import Trainer
from src.modeling.training import train
from tests.perf.measure import Aim, Comparison, Options, in_turns
from tests.perf.rows import LONGEST, math_rows, model_folder

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
AT_ONCE = 8 if DEVICE == "cuda" else 1
"""Packed sequences in one forward pass."""

SEED = 0


@dataclass(frozen=True)
class Task:
    """What all three do. `rows` and `plan` are what `train` makes of the examples, by the same functions."""

    base: str
    examples: list[Example]
    recipe: Recipe
    rows: TokenRows
    plan: Plan
    scratch: Path


def run(options: Options) -> list[Comparison]:
    task = _task(options)
    loader = Loader(task.rows, task.plan, task.recipe.loss_on, AT_ONCE, start=0, rank=0, world=1)
    steps = [loader.batch(step) for step in range(task.plan.steps)]
    around: list[float] = []
    sides = {
        "ours": lambda: ours(task, around),
        "bare loop": lambda: bare_loop(task, steps),
        "Trainer": lambda: hugging_face(task),
    }
    seconds = in_turns(options.rounds, sides)
    tokens = task.plan.total_tokens
    note = (
        f"{options.model} model on {DEVICE}, {len(task.examples)} rows, {tokens:,} tokens, {task.plan.steps} steps "
        f"of {task.recipe.batch_sequences} x {LONGEST:,} slots; `train` takes {min(around):.1f} s more to load, test "
        "itself and save"
    )
    per_step = {name: tuple(s / task.plan.steps for s in seconds[name]) for name in sides}
    speed = {name: tuple(tokens / s for s in seconds[name]) for name in sides}
    return [
        Comparison(
            "time of a step", "s", per_step["ours"], per_step["bare loop"], "bare loop", Aim(1.03, at_most=True), note
        ),
        Comparison("useful tokens", "tokens/s", speed["ours"], speed["Trainer"], "transformers' Trainer", Aim(1.8)),
    ]


def _task(options: Options) -> Task:
    tiny = options.model == "tiny"
    rows = math_rows()
    examples = rows[: options.size(240, 24) if tiny else options.size(8, 2)]
    recipe = Recipe(lr=1e-4, sequence_length=LONGEST, batch_sequences=8 if tiny else 1)
    base = model_folder(options, rows)
    tokenizer = loading.load_tokenizer(base)
    tokens = tokenize([TokenCorpus("all", lambda: examples)], tokenizer, recipe, LONGEST, options.scratch / "rows")
    return Task(base, examples, recipe, tokens, make_plan(tokens, recipe, (recipe.order,), SEED), options.scratch)


def ours(task: Task, around: list[float]) -> float:
    """Seconds from the first step to the end of the last; those before and after go to `around`."""
    work = task.scratch / "work"
    shutil.rmtree(work, ignore_errors=True)  # or it would find itself done
    shutil.copytree(task.rows.folder, work / "rows")
    began = time.perf_counter()
    trainer = Trainer(device=DEVICE, rows_per_device=AT_ONCE)  # type: ignore[arg-type]  # "cpu" or "cuda"
    summary = train(task.base, task.examples, task.recipe, trainer, task.scratch / "model", work, SEED)
    around.append(time.perf_counter() - began - summary.seconds)
    return summary.seconds


def bare_loop(task: Task, steps: list[StepBatch]) -> float:
    """Seconds for the same steps with nothing around them."""
    kernel = attention.choose_kernel(loading.load_config(task.base), "auto", LONGEST)
    model = loading.load_model(task.base, kernel).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.recipe.lr, weight_decay=0.0, fused=True)
    began = time.perf_counter()
    for step in steps:
        for part in step.parts:
            (loss_sum(model, part.to(DEVICE), kernel) / step.trained_tokens).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    _finish()
    return time.perf_counter() - began


def hugging_face(task: Task) -> float:
    """Seconds of transformers' own training loop over the same rows."""
    import transformers

    model = loading.load_model(task.base, "sdpa")
    tokenizer = loading.load_tokenizer(task.base)
    sequences = sum(len(task.plan.sequences(step)) for step in range(task.plan.steps))
    arguments = transformers.TrainingArguments(
        output_dir=str(task.scratch / "transformers"),
        per_device_train_batch_size=max(1, round(AT_ONCE * len(task.examples) / sequences)),
        gradient_accumulation_steps=max(1, task.recipe.batch_sequences // AT_ONCE),
        num_train_epochs=1,
        learning_rate=task.recipe.lr,
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        use_cpu=DEVICE == "cpu",
        dataloader_pin_memory=DEVICE != "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )
    clock, collator = _clock(), transformers.DataCollatorForSeq2Seq(tokenizer)
    trainer = transformers.Trainer(
        model, arguments, data_collator=collator, train_dataset=_unpacked(task.rows), callbacks=[clock]
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return clock.ended - clock.began


def _unpacked(rows: TokenRows) -> Any:
    """The same rows as transformers wants them: labels of -100 where there is no loss."""
    pieces = [rows.tokens[a:b].tolist() for a, b in itertools.pairwise(rows.offsets)]
    prompts = rows.prompts.tolist()
    labels = [[-100] * prompt + piece[prompt:] for prompt, piece in zip(prompts, pieces)]
    return [{"input_ids": piece, "labels": label} for piece, label in zip(pieces, labels)]


def _clock() -> Any:
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """From the first step to the end of the last, as for ours."""

        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            self.began = time.perf_counter()

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            _finish()
            self.ended = time.perf_counter()

    return Clock()


def _finish() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
