"""The one LightningModule: a causal language model, its loss, its optimizer step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch

from src.core.errors import UserError
from src.core.records import seed_from
from src.modeling import ranks, sharding
from src.modeling.data import StepBatch
from src.modeling.loss import objective
from src.modeling.losswatch import SKIPPED_IN_A_ROW, LossWatch
from src.modeling.plan import Plan
from src.modeling.recipe import Recipe
from src.modeling.rows import TokenRows

NAMED_ROWS = 40
"""So many rows of a bad step are named; a batch may have thousands."""


@dataclass
class StepResult:
    """What a step leaves for those who look: the loss is a mean over the trained tokens of all devices."""

    loss: float = 0.0
    grad_norm: float = 0.0
    lr: float = 0.0
    skipped: bool = False


class CausalLM(pl.LightningModule):
    """Trains `model` by `recipe` for the steps of `plan`. `steps_done` counts optimizer steps, over resumes.

    One item of the loader is a whole optimizer step (`StepBatch`), so accumulation happens here: the loss of every
    micro-batch is divided by the trained tokens of the *global* batch, which makes the gradient that of one big batch
    however it is cut.
    """

    def __init__(self, model: Any, recipe: Recipe, plan: Plan, attention: str, rows: TokenRows, seed: int):
        super().__init__()
        self.model, self.recipe, self.total_steps = model, recipe, plan.steps
        self.attention, self.rows, self.seed = attention, rows, seed
        self.chunked_loss = False
        self.automatic_optimization = False
        self.steps_done = self.skipped = 0
        self.last = StepResult()
        self.watch = LossWatch(recipe.spike_sigmas, frozenset(boundary.step for boundary in plan.boundaries))

    def configure_model(self) -> None:
        """Nothing: a sharded model was loaded as such. Lightning's strategy for those wants the hook."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; weight decay spares what has fewer than two dimensions (norms, biases)."""
        trainable = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": self.recipe.weight_decay},
            {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        return torch.optim.AdamW(groups, lr=self.recipe.lr, betas=self.recipe.betas, eps=self.recipe.eps, fused=True)

    def learning_rate(self, step: int) -> float:
        return self.recipe.lr * self.recipe.schedule.factor(step, self.total_steps)

    def training_step(self, batch: StepBatch, batch_idx: int) -> None:
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        rate = self.learning_rate(batch.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Dropout is drawn from the step's own seed, so that no generator's state needs saving.
        torch.manual_seed(seed_from(self.seed, "step", batch.step, self.global_rank))
        loss, norm = float(self._accumulate(batch)), float(self._clip())
        if complaint := self.watch.complaint(batch.step, loss, norm):
            self._bad_loss(batch, complaint)
        else:
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.last = StepResult(loss, norm, rate, skipped=complaint is not None)
        self.steps_done = batch.step + 1

    def _accumulate(self, batch: StepBatch) -> torch.Tensor:
        """Gradients of the whole step; returns its loss. Devices are averaged by their strategy, hence `world`."""
        world = self.trainer.world_size
        total = torch.zeros((), device=self.device)
        for i, part in enumerate(batch.parts):
            with self._unsynchronised() if i + 1 < len(batch.parts) else nullcontext():
                loss, router = objective(self.model, part, self.attention, self.chunked_loss)
                scale = (world if part.real else 0) / max(batch.trained_tokens, 1)
                self.manual_backward((loss + router) * scale)
            if part.real:
                total += loss.detach() / max(batch.trained_tokens, 1)
        if world > 1:
            torch.distributed.all_reduce(total)
            if sharding.is_sharded(self.model):
                sharding.average_whole_gradients(self.model)
        return total

    def _unsynchronised(self) -> AbstractContextManager[Any]:
        wrapped: Any = self.trainer.strategy.model
        return wrapped.no_sync() if hasattr(wrapped, "no_sync") else nullcontext()

    def _clip(self) -> torch.Tensor:
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        return sharding.whole(torch.nn.utils.clip_grad_norm_(parameters, self.recipe.grad_clip or float("inf")))

    def _bad_loss(self, batch: StepBatch, complaint: str) -> None:
        self.skipped += 1
        ids = self.rows.ids(batch.rows)
        shown = ", ".join(ids[:NAMED_ROWS]) + (f" and {len(ids) - NAMED_ROWS} more" if len(ids) > NAMED_ROWS else "")
        where = f"At step {batch.step} of {self.total_steps} {complaint}, on these rows: {shown}."
        mend = "Lower the recipe's lr, lengthen the warm-up, look at the rows"
        if self.recipe.on_bad_loss == "stop":
            raise UserError(where, f"{mend}, or set on_bad_loss=skip in the recipe.")
        if self.watch.hopeless:
            raise UserError(f"{where} It is the last of {SKIPPED_IN_A_ROW} bad steps in a row.", f"{mend}.")
        if ranks.is_first():
            print(f"    {where} Skipped.", file=sys.stderr)

    def progress(self) -> dict[str, Any]:
        """What a checkpoint holds besides weights and moments, ready for JSON."""
        return {"steps_done": self.steps_done, "skipped": self.skipped, "loss_watch": self.watch.state()}

    def restore_progress(self, state: dict[str, Any]) -> None:
        self.steps_done, self.skipped = state["steps_done"], state["skipped"]
        self.watch.restore(state["loss_watch"])

    def working_parameters(self) -> float:
        """Those that a token meets in a matrix product: not an input embedding of its own, and of experts its share."""
        config = self.model.config.get_text_config()
        experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
        share = config.num_experts_per_tok / experts if experts else 1.0
        sizes = {name: p.numel() * (share if ".experts." in name else 1) for name, p in self.model.named_parameters()}
        if not config.tie_word_embeddings:
            sizes = {name: size for name, size in sizes.items() if "embed_tokens" not in name}
        return sum(sizes.values())

    def named_trainable(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """The parameters that are trained, by the model's own names for them."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)
