"""Models that a training leaves on its way are what it had at that step, whatever came between."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from src.core.records import Example
from src.modeling.exports import Exports
from src.modeling.module import CausalLM
from src.modeling.recipe import LoRA
from src.modeling.training import train
from src.modeling.validation import Validation
from tests.modeling.tiny import CPU

TWO_STEPS = dataclasses.replace(CPU, export_every=2)


class KilledError(Exception):
    pass


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_every_so_many_steps_a_model_is_left_that_the_training_then_had(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    had: dict[int, dict[str, torch.Tensor]] = {}
    step = CausalLM.training_step

    def noted(self: CausalLM, batch: Any, batch_idx: int) -> None:
        step(self, batch, batch_idx)
        had[batch.step + 1] = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    monkeypatch.setattr(CausalLM, "training_step", noted)
    train(base, rows, recipe(max_steps=5), TWO_STEPS, tmp_path / "model", tmp_path / "work", 0)
    assert sorted(path.name for path in (tmp_path / "exports").iterdir()) == ["step-00000002", "step-00000004"]
    for n in (2, 4):
        folder = tmp_path / "exports" / f"step-{n:08d}"
        left = weights(folder)
        assert all(torch.equal(had[n][name], tensor) for name, tensor in left.items()) and len(left) > 10
        assert {path.name for path in folder.iterdir()} >= {"config.json", "tokenizer.json", "generation_config.json"}
    assert not same(left, weights(tmp_path / "model"))


@pytest.mark.slow
def test_the_model_of_the_lowest_held_out_loss_is_kept_over_a_kill(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {1: 5.0, 2: 4.0, 3: 3.0, 4: 6.0, 5: 3.0, 6: 3.5, 7: 3.2, 8: 4.0}
    monkeypatch.setattr(Validation, "_losses", lambda self, trainer, module: [("all", losses[module.steps_done])])
    settings = recipe(held_out=0.2, epochs=4, max_steps=8)
    trainer = dataclasses.replace(CPU, export_best=True, export_every=1, validations=8, checkpoint_minutes=0)

    def run() -> None:
        train(base, rows, settings, trainer, tmp_path / "model", tmp_path / "work", 0)

    step = CausalLM.training_step

    def killed(self: CausalLM, batch: Any, batch_idx: int) -> None:
        if batch.step == 6:
            raise KilledError
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(CausalLM, "training_step", killed)
        run()
    run()
    exports = tmp_path / "exports"
    assert json.loads((exports / "best" / "export.json").read_text()) == {"step": 3, "held_out_loss": 3.0}
    assert same(weights(exports / "best"), weights(exports / "step-00000003"))
    assert not same(weights(exports / "best"), weights(exports / "step-00000008"))
    assert len(list(exports.iterdir())) == 9


def test_adapters_are_kept_beside_the_merged_model(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    from peft import PeftModel

    from src.modeling.loading import load_model

    settings = recipe(max_steps=4, lora=LoRA(rank=4, alpha=8, dropout=0.0))
    trainer = dataclasses.replace(TWO_STEPS, keep_adapter=True)
    train(base, rows, settings, trainer, tmp_path / "model", tmp_path / "work", 0)
    kept = {path.name for path in (tmp_path / "exports").iterdir()}
    assert kept == {"adapter", "step-00000002", "step-00000004"}
    adapted = PeftModel.from_pretrained(load_model(base, "sdpa"), str(tmp_path / "exports" / "adapter"))
    merged = adapted.merge_and_unload().state_dict()
    for name, tensor in weights(tmp_path / "model").items():
        torch.testing.assert_close(merged[name], tensor)
    adapters = [load_file(tmp_path / "exports" / name / "adapter_model.safetensors") for name in sorted(kept)]
    assert same(adapters[0], adapters[2]) and not same(adapters[0], adapters[1])


def test_without_being_asked_nothing_is_exported(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    train(base, rows, recipe(max_steps=2, held_out=0.2), CPU, tmp_path / "model", tmp_path / "work", 0)
    assert not (tmp_path / "exports").exists()


def test_folders_within_folders_are_published(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    """A tokenizer with several chat templates keeps them in a folder of its own."""
    start = tmp_path / "start"
    shutil.copytree(base, start)
    (start / "chat_template.jinja").write_text("one")
    (start / "additional_chat_templates").mkdir()
    (start / "additional_chat_templates" / "tool_use.jinja").write_text("two")

    train(start, rows, recipe(max_steps=2), TWO_STEPS, tmp_path / "model", tmp_path / "work", 0)
    for folder in (tmp_path / "model", tmp_path / "exports" / "step-00000002"):
        assert (folder / "additional_chat_templates" / "tool_use.jinja").read_text() == "two"


def test_a_model_that_is_trained_is_there_whatever_becomes_of_its_exports(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Exports, "publish", lambda *args: (_ for _ in ()).throw(KilledError))
    with pytest.raises(KilledError):
        train(base, rows, recipe(max_steps=2), TWO_STEPS, tmp_path / "model", tmp_path / "work", 0)
    assert weights(tmp_path / "model")
