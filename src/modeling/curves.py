"""What training shows while it runs: the progress line, and the points of its curves."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from src.core.progress import Progress
from src.core.store import write_text
from src.modeling import ranks
from src.modeling.flops import TO_ACTIVATIONS, TRAINING, peak
from src.modeling.module import CausalLM
from src.modeling.plan import Plan
from src.modeling.validation import Validation


class Curves(pl.Callback):
    """Logs a point at most every `seconds`, with the mean loss since the last one; besides at the first and last step,
    where other rows begin to be read (`part`: the number of the plan's boundary) and after a validation.

    mfu: of the cards' peak, where it is known; that of the last point is in the progress line as well. padding_waste:
    the share of empty slots.

    The points also go to `path`: after a kill those up to step `start` are logged again and the later ones, which will
    be computed again, dropped, so that the curves of a resumed run have neither gaps nor doubles.
    """

    def __init__(
        self,
        path: Path,
        log: Callable[[dict[str, float], int], None],
        progress: Callable[..., Progress],
        plan: Plan,
        start: int,
        seconds: float,
        validation: Validation,
    ):
        self._emit, self.plan, self.every = log, plan, seconds  # not "log": Lightning overwrites that
        self.validation = validation
        self.first_loss = self.final_loss = float("nan")
        self.tokens, self.seconds = 0, 0.0
        self._boundaries = {b.step: (number, b.name) for number, b in enumerate(plan.boundaries)}
        self._part, self._part_name = 0, ""
        self._mfu: float | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path if ranks.is_first() else Path(os.devnull)
        kept = self._replay(path, start)
        if ranks.is_first():  # beside, for a kill or a full disk would take the points that are there
            write_text(path, "".join(line + "\n" for line in kept))
        self._file = path.open("a")
        done = sum(plan.tokens(step) for step in range(start))
        bar = progress("training", total=plan.total_tokens, unit="tokens", done=done)
        self._bar = bar if ranks.is_first() else None
        self._pending: list[float] = []

    def _replay(self, path: Path, start: int) -> list[str]:
        kept = []
        for line in path.read_text().split("\n") if path.exists() else []:
            try:
                point = json.loads(line)
            except json.JSONDecodeError:
                continue  # the torn last line of a killed run, or the empty one
            if point["step"] <= start:
                kept.append(line)
                self._note_loss(point["loss"])
                self.validation.last |= {k: v for k, v in point.items() if k.startswith("val_loss/")}
                self._emit({k: v for k, v in point.items() if k != "step"}, point["step"])
        return kept

    def _note_loss(self, loss: float) -> None:
        if self.first_loss != self.first_loss:
            self.first_loss = loss
        self.final_loss = loss

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._began = self._last = time.monotonic()
        self._slots = self._last_tokens = 0
        module: CausalLM = pl_module
        card = torch.cuda.get_device_name(module.device) if module.device.type == "cuda" else ""
        self._peak = (peak(card) or 0.0) * trainer.world_size
        self._work = module.working_parameters() * (TO_ACTIVATIONS if module.recipe.lora else TRAINING)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        module: CausalLM = pl_module
        now = time.monotonic()
        self.seconds = now - self._began
        self.tokens += batch.tokens
        self._slots += self.plan.slots(batch.step)
        self._part, self._part_name = self._boundaries.get(batch.step, (self._part, self._part_name))
        self._pending.append(module.last.loss)
        if self._bar:
            self._bar.advance(batch.tokens, note=self._note(module))
        # The last step is a point of its own: a mean over what time happened to pass would differ from run to run
        ends = {1, self.plan.steps - 1, self.plan.steps}
        notable = batch.step in self._boundaries or module.steps_done in ends.union(self.validation.steps)
        if notable or now - self._last >= self.every:
            self._point(module, batch.step, now)

    def _note(self, module: CausalLM) -> str:
        last, part = module.last, f" ({self._part_name})" if self._part_name else ""
        mfu = f", mfu {self._mfu:.0%}" if self._mfu is not None else ""
        return f"loss {last.loss:.3f}, lr {last.lr:.1e}, step {module.steps_done:,}/{self.plan.steps:,}{mfu}{part}"

    def _point(self, module: CausalLM, step: int, now: float) -> None:
        tokens = self.tokens - self._last_tokens
        speed = tokens / max(now - self._last, 1e-9)
        mean = sum(self._pending) / len(self._pending)
        values = {
            "loss": mean,
            "lr": module.last.lr,
            "grad_norm": module.last.grad_norm,
            "tokens_per_second": speed,
            "padding_waste": 1 - tokens / self._slots,
            "part": float(self._part),
        }
        if self._peak:
            values["mfu"] = self._mfu = speed * self._work / self._peak
        if step + 1 in self.validation.steps:
            values |= self.validation.last
        self._pending.clear()
        self._last, self._last_tokens, self._slots = now, self.tokens, 0
        self._note_loss(mean)
        if ranks.is_first():
            self._file.write(json.dumps({"step": step + 1, **values}) + "\n")
            self._file.flush()
            self._emit(values, step + 1)

    def __enter__(self) -> Curves:
        if self._bar:
            self._bar.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar:
            self._bar.__exit__(*exc)
        self._file.close()
