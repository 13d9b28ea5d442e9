"""Train a model on rows of text: tokenize, pack, fit, save. The only door to this package for the stages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from src.core import stopping
from src.core.console import quiet_transformers
from src.core.progress import Progress
from src.core.records import Example, content_id
from src.core.threads import use_threads
from src.modeling import attention as attn
from src.modeling import loading, ranks, selftest
from src.modeling.checkpoints import CheckpointFolder, Checkpointing
from src.modeling.curves import Curves
from src.modeling.data import PackedData
from src.modeling.exports import Exports
from src.modeling.lowered import move_fewer_bytes
from src.modeling.micro_batches import plan_micro_batches
from src.modeling.module import CausalLM
from src.modeling.optimizer_checkpoints import OptimizerCheckpoint, SaveOptimizerCheckpoints
from src.modeling.plan import Plan, make_plan
from src.modeling.recipe import Recipe
from src.modeling.rows import TokenCorpus, TokenRows
from src.modeling.sharding import is_sharded, whole_weights
from src.modeling.stable import StableState, stable_key
from src.modeling.strategies import device_of, is_spread, lightning_options
from src.modeling.tokenizing import tokenize
from src.modeling.trainer import Trainer
from src.modeling.validation import Validation

Log = Callable[[dict[str, float], int], None]


@dataclass(frozen=True)
class TrainingSummary:
    """What a training came to. Times count this process only; everything else the whole training, over resumes.

    tokens: real ones read, `trained_tokens` of them with a loss. waste: the share of slots left empty by packing.
    rows: counts by reason (rows, kept, truncated, dropped_...). validation: the last loss of each corpus, if any.
    optimizer_checkpoints: those asked for, in order.
    """

    steps: int
    tokens: int
    trained_tokens: int
    seconds: float
    tokens_per_second: float
    waste: float
    first_loss: float
    final_loss: float
    skipped_steps: int
    rows: dict[str, int] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    optimizer_checkpoints: tuple[OptimizerCheckpoint, ...] = ()

    def scalars(self) -> dict[str, float]:
        """The numbers, for a manifest."""
        plain = {k: v for k, v in dataclasses.asdict(self).items() if isinstance(v, int | float)}
        return plain | {f"rows_{name}": n for name, n in self.rows.items()} | self.validation


def train(
    base: str | Path,
    examples: Sequence[TokenCorpus] | Iterable[Example],
    recipe: Recipe,
    trainer: Trainer,
    out: Path,
    work: Path,
    seed: int,
    log: Log = lambda values, step: None,
    progress: Callable[..., Progress] = Progress,
    checkpoints: Sequence[float] = (),
    stable: Path | None = None,
) -> TrainingSummary:
    """Train `base` (a folder or a Hugging Face name) and write the finished model to `out`.

    examples: rows, or corpora to be read one after the other. work: survives a kill; the same call goes on from there.
    checkpoints: fractions of the training in (0, 1] at which an `OptimizerCheckpoint` is kept, under
      `work/optimizer_checkpoints`; nothing is then shared with other runs.
    stable: where runs share the state in which a decay begins.
    Raises UserError on an unusable model, on data that leaves no row, and when packed documents see each other.
    """
    options = lightning_options(trainer, recipe)
    quiet_transformers()
    corpora = _as_corpora(examples)
    config, tokenizer = loading.load_config(base), loading.load_tokenizer(base)
    limit = loading.longest_row(config, recipe.sequence_length)
    rows = tokenize(corpora, tokenizer, recipe, limit, work / "rows")
    if limit < recipe.sequence_length and ranks.is_first():
        _tell_of_positions(rows, recipe, limit)
    plan = make_plan(rows, recipe, tuple(corpus.order or recipe.order for corpus in corpora), seed)
    use_threads(base, trainer.threads)
    ranks.connect(device_of(trainer))
    with _hushed():
        setup = _Setup(str(base), rows, plan, recipe, trainer, seed, limit, tokenizer)
        return _fit(setup, options, out, work, log, progress, checkpoints, stable)


def _tell_of_positions(rows: TokenRows, recipe: Recipe, limit: int) -> None:
    """Packed rows share a sequence and count their positions anew: only a single row may be too long for a model."""
    n = sum(rows.counts.get(what, 0) for what in ("truncated", "split", "dropped_overlong"))
    if n:
        print(
            f"    {n:,} of {rows.counts['rows']:,} rows are longer than the model's {limit:,} positions, which is less "
            f"than sequence_length={recipe.sequence_length}: {recipe.overlong} (recipe.overlong)",
            file=sys.stderr,
        )


@dataclass(frozen=True)
class _Setup:
    """All that is decided before the first step."""

    base: str
    rows: TokenRows
    plan: Plan
    recipe: Recipe
    trainer: Trainer
    seed: int
    limit: int
    tokenizer: Any

    def module(self) -> CausalLM:
        trainer, recipe = self.trainer, self.recipe
        config = loading.load_config(self.base)
        attention = attn.choose_kernel(config, trainer.attention, self.limit, trainer.compile)
        model = self._model(attention, self._spread())
        if trainer.activation_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if recipe.precision == "bf16" and not self._spread():
            move_fewer_bytes(model)
        if trainer.compile:
            model.compile(dynamic=True)
        model.train()
        return CausalLM(model, recipe, self.plan, attention, self.rows, self.seed)

    def _model(self, attention: str, spread: loading.Spread | None = None) -> Any:
        """With adapters, the frozen model lies in the type that it computes in."""
        lowered = self.recipe.lora is not None and self.recipe.precision == "bf16"
        model = loading.load_model(self.base, attention, torch.bfloat16 if lowered else torch.float32, spread)
        return loading.add_lora(model, self.recipe.lora, self.seed) if self.recipe.lora else model

    def _spread(self) -> loading.Spread | None:
        lowered = self.recipe.precision == "bf16"
        return loading.Spread(ranks.count(), lowered, self.trainer.offload) if is_spread(self.trainer) else None

    def put_together(self, model: Any, dtype: torch.dtype = torch.float32) -> Any:
        """A sharded model as a whole one on the first rank's CPU, None on the others; any other as it is."""
        if not is_sharded(model):
            return model
        if self.recipe.lora:
            if not ranks.is_first():
                return None
            trained = {name: p.detach().cpu() for name, p in model.named_parameters() if p.requires_grad}
            fresh = self._model("sdpa")
            fresh.load_state_dict(trained, strict=False)
            return fresh
        weights = whole_weights(model, dtype)
        return loading.with_weights(self.base, weights, dtype) if ranks.is_first() else None

    def copy(self, model: Any) -> Any:
        """The model as it is, on the first rank's CPU in the type of the finished one, None on the others; with
        adapters the model itself, of which a folder holds the adapters alone."""
        if self.recipe.lora or is_sharded(model):
            return self.put_together(model, self.stored)
        if not ranks.is_first():
            return None
        weights = {name: tensor.detach().to("cpu", self.stored) for name, tensor in model.state_dict().items()}
        return loading.with_weights(self.base, weights, self.stored)

    def write(self, model: Any, folder: Path) -> None:
        loading.write_folder(model, self.tokenizer, folder)

    @property
    def stored(self) -> torch.dtype:
        """The type of the finished model's weights."""
        return torch.bfloat16 if self.recipe.precision == "bf16" else torch.float32

    def owner(self) -> str:
        """A name for this very training: whose checkpoints may be gone on from."""
        data = hashlib.sha256(self.rows.digests.tobytes() + self.rows.held_out.tobytes()).hexdigest()
        settings = json.dumps(dataclasses.asdict(self.recipe), sort_keys=True)
        return content_id(loading.digest(self.base), data, settings, self.seed)

    def stable(self, folder: Path | None, checkpoints: CheckpointFolder, curve: Path) -> StableState | None:
        """The state that runs share, where the trainer asks for it and the schedule has a place for it."""
        step = self.recipe.schedule.decay_start(self.plan.steps)
        if folder is None or not self.trainer.share_stable or not step or step >= self.plan.steps:
            return None
        base, strategy = loading.digest(self.base), self.trainer.strategy
        key = stable_key(base, self.rows, self.plan, self.recipe, step, strategy, self.seed)
        return StableState(folder / key, step, checkpoints, curve)


def _as_corpora(examples: Sequence[TokenCorpus] | Iterable[Example]) -> list[TokenCorpus]:
    given = list(examples) if isinstance(examples, list | tuple) else examples
    if isinstance(given, list) and given and all(isinstance(item, TokenCorpus) for item in given):
        return given
    return [TokenCorpus("all", lambda: given)]  # type: ignore[arg-type,return-value]


def _fit(
    setup: _Setup,
    options: dict[str, Any],
    out: Path,
    work: Path,
    log: Log,
    progress: Callable[..., Progress],
    fractions: Sequence[float],
    stable_folder: Path | None,
) -> TrainingSummary:
    plan, recipe, trainer, curve = setup.plan, setup.recipe, setup.trainer, work / "curve.jsonl"
    module = setup.module()
    on_gpu = device_of(trainer) == "cuda"
    folder = CheckpointFolder(work / "checkpoints", setup.owner(), trainer.keep_checkpoints, in_background=on_gpu)
    # Exports are models of the stable part, too, which must then be trained here.
    exporting = trainer.export_every or trainer.export_best
    stable = setup.stable(None if fractions or exporting else stable_folder, folder, curve)

    def find() -> tuple[Path, int] | None:
        if stable:
            stable.begin()
        return folder.latest()

    path, start = ranks.decided_by_first(find) or (None, 0)
    each = plan_micro_batches(recipe, trainer, device_of(trainer)).rows
    data = PackedData(setup.rows, plan, recipe.loss_on, each, start)
    kept = SaveOptimizerCheckpoints(
        work / "optimizer_checkpoints", fractions, setup.tokenizer, plan.steps, setup.put_together
    )
    validation = Validation(setup.rows, recipe, each, trainer.validations, plan.steps)
    exports = Exports(work / "exports", trainer, validation, setup.copy, setup.write)
    with (
        stable or nullcontext(),
        Curves(curve, log, progress, plan, start, trainer.log_seconds, validation) as curves,
    ):
        # In this order after each step: whoever goes on from the checkpoint of a step finds all else of that step done.
        before_saving = [SelfTest(recipe, setup.limit, each, trainer.compile), validation, exports, curves, kept]
        saving = [Checkpointing(folder, path, trainer.checkpoint_minutes), *([stable] if stable else [])]
        fitter = pl.Trainer(max_epochs=1, callbacks=[*before_saving, *saving], **options)
        with stopping.deferred():  # to the end of a step, where it is saved
            fitter.fit(module, data)
    model = setup.put_together(module.model, setup.stored)
    if fitter.is_global_zero:
        if recipe.lora and trainer.keep_adapter:
            setup.write(model, exports.folder / "adapter")
        loading.save_model(model, setup.tokenizer, recipe, out)
        exports.publish(out.parent / "exports")
    return TrainingSummary(
        steps=plan.steps,
        tokens=plan.total_tokens,
        trained_tokens=plan.total_trained_tokens,
        seconds=curves.seconds,
        tokens_per_second=curves.tokens / max(curves.seconds, 1e-9),
        waste=plan.waste,
        first_loss=curves.first_loss,
        final_loss=curves.final_loss,
        skipped_steps=module.skipped,
        rows=setup.rows.counts,
        validation=validation.last,
        optimizer_checkpoints=kept.saved(),
    )


class SelfTest(pl.Callback):
    """Runs once the model is on its device, before the first step. rows: sequences in a pass; where
    each is one row, and read alone, there is nothing to keep apart."""

    def __init__(self, recipe: Recipe, limit: int, rows: int, compiled: bool):
        self.recipe, self.limit, self.compiled = recipe, limit, compiled
        self.rows_meet = recipe.packing or rows > 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        module: CausalLM = pl_module
        with trainer.precision_plugin.forward_context():
            dtype = torch.bfloat16 if self.recipe.precision == "bf16" else torch.float32
            if self.rows_meet:
                selftest.check(module.model, module.attention, dtype, self.limit)
            module.chunked_loss = not self.compiled and selftest.may_chunk(module.model, module.attention)


@contextmanager
def _hushed() -> Iterator[None]:
    """Lightning's banners and advice off; its warnings about a loader without workers do not apply to ours."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning|torch)\.")
        yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
