from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.llama.modeling_llama import LlamaMLP

from src.core.errors import UserError
from src.core.progress import Progress
from src.core.records import Example
from src.modeling.checkpoints import CheckpointFolder
from src.modeling.optimizer_checkpoints import SaveOptimizerCheckpoints
from src.modeling.recipe import LoRA
from src.modeling.trainer import Trainer
from src.modeling.training import train
from tests.modeling.tiny import CPU, toy

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


def test_training_learns_and_leaves_a_plain_model_folder(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    points: list[tuple[int, dict[str, float]]] = []
    summary = train(
        base,
        rows,
        recipe(epochs=12),
        CPU,
        tmp_path / "model",
        tmp_path / "work",
        seed=0,
        log=lambda values, step: points.append((step, values)),
    )
    assert summary.final_loss < 0.5 * summary.first_loss
    assert [step for step, _ in points] == list(range(1, summary.steps + 1))
    assert {"loss", "lr", "grad_norm", "tokens_per_second"} <= points[0][1].keys()
    assert summary.rows["kept"] == 60 and summary.tokens == 12 * summary.rows["tokens"]
    assert all(isinstance(value, int | float) for value in summary.scalars().values())

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert next(model.parameters()).dtype == torch.float32
    assert not (REPOSITORY / "lightning_logs").exists()


@pytest.mark.parametrize("peak", [1e9, None])
def test_the_progress_line_tells_the_share_of_the_peak_where_one_is_known(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peak: float | None
) -> None:
    notes: list[str] = []
    points: list[dict[str, float]] = []

    class Noted(Progress):
        def advance(self, n: int = 1, note: str | None = None) -> None:
            notes.append(note or "")

    monkeypatch.setattr("src.modeling.curves.peak", lambda card: peak)
    train(
        base,
        rows[:10],
        recipe(),
        CPU,
        tmp_path / "model",
        tmp_path / "work",
        seed=0,
        log=lambda values, step: points.append(values),
        progress=Noted,
    )
    known = [f"mfu {point['mfu']:.0%}" for point in points[:-1]] if peak else []
    assert "mfu" not in notes[0], "before the first point nothing is known"
    assert re.findall(r"mfu \d+%", "\n".join(notes)) == known


def test_the_same_seed_gives_the_same_bytes(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(base, rows[:20], recipe(), CPU, tmp_path / name / "model", tmp_path / name / "work", seed)
        weights.append((tmp_path / name / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_the_last_loss_does_not_hang_on_how_often_one_looked(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    seldom = dataclasses.replace(CPU, log_seconds=3600.0)
    often, rarely = (
        train(base, rows[:20], recipe(), trainer, tmp_path / name, tmp_path / f"{name}-work", 0)
        for name, trainer in (("often", CPU), ("rarely", seldom))
    )
    assert often.final_loss == rarely.final_loss and often.first_loss == rarely.first_loss


RUN = """
import sys, time
from pathlib import Path
from src.modeling import curves
from src.modeling.training import train
from tests.modeling.tiny import CPU, addition
from src.modeling.recipe import Recipe
from src.modeling.schedules import WSD
from src.core import stopping
import dataclasses, signal
folder, base, slow, minutes = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
stopping.listen(signal.SIGTERM)
trainer = dataclasses.replace(CPU, checkpoint_minutes=minutes)
recipe = Recipe(lr=1e-2, schedule=WSD(), sequence_length=96, batch_sequences=2, epochs=4)
def log(values, step):
    time.sleep(slow)
    with (folder / "log.txt").open("a") as file:
        file.write(f"{step} {values['loss']!r} {values['grad_norm']!r}\\n")
train(base, [addition(i) for i in range(60)], recipe, trainer, folder / "model", folder / "work", 0, log=log)
"""


def start(folder: Path, base: Path, slow: float, minutes: float = 0) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    words = [str(word) for word in (folder, base, slow, minutes)]
    return subprocess.Popen([sys.executable, "-c", RUN, *words], cwd=REPOSITORY)


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing stopped."""
    folder = tmp_path_factory.mktemp("trainings") / "whole"
    assert start(folder, base, 0).wait() == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("how", "minutes"), [(signal.SIGKILL, 0), (signal.SIGTERM, 60)])
def test_a_stopped_training_ends_as_if_it_had_not_been(
    base: Path, whole: Path, tmp_path: Path, how: int, minutes: float
) -> None:
    killed = tmp_path / "killed"
    victim = start(killed, base, 0.2, minutes)
    while len(_lines(killed)) < 8 and victim.poll() is None:
        time.sleep(0.05)
    victim.send_signal(how)
    victim.wait()
    seen = len(_lines(killed))
    assert 8 <= seen < 30, "killed in the middle"
    assert bool(list((killed / "work" / "checkpoints").glob("step-*"))), "SIGTERM saves, whatever the clock says"
    (killed / "log.txt").unlink()
    assert start(killed, base, 0).wait() == 0
    assert _lines(killed) == _lines(whole), "losses to the last bit, none twice, none missing"
    name = "model/model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()


def _lines(folder: Path) -> list[str]:
    path = folder / "log.txt"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("in_background", [False, True])
def test_a_checkpoint_holds_weights_moments_and_progress(tmp_path: Path, in_background: bool) -> None:
    checkpoints = CheckpointFolder(tmp_path / "c", "me", in_background=in_background)
    module, optimizer = toy()
    path = checkpoints.save(module, optimizer, 7)
    before = [t.clone() for t in (module.model.weight, optimizer.state[module.model.weight]["exp_avg"])]
    with torch.no_grad():
        module.model.weight.zero_()  # what is being written is a copy
    checkpoints.finish()
    fresh, other = toy()
    checkpoints.restore(fresh, other, path)
    after = (fresh.model.weight, other.state[fresh.model.weight]["exp_avg"])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert fresh.restored == {"steps_done": 7}


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = CheckpointFolder(tmp_path / "c", owner="me", keep=2)
    for step in (1, 2, 3):
        checkpoints.save(*toy(), step)
    assert checkpoints.latest() == (tmp_path / "c" / "step-00000003", 3)
    assert len(list((tmp_path / "c").iterdir())) == 2
    (shard,) = (tmp_path / "c" / "step-00000003").glob("*.distcp")
    shard.write_bytes(shard.read_bytes()[:-1])
    assert checkpoints.latest() == (tmp_path / "c" / "step-00000002", 2)
    assert "incomplete or damaged and passed over" in capsys.readouterr().err
    with pytest.raises(UserError, match="belongs to another training"):
        CheckpointFolder(tmp_path / "c", owner="you").latest()


@pytest.mark.parametrize("in_background", [False, True])
@pytest.mark.parametrize("keep", [1, 2])
def test_what_a_kill_left_incomplete_does_not_cost_a_newer_checkpoint(
    tmp_path: Path, keep: int, in_background: bool
) -> None:
    """Killed while it wrote steps 95 and 100, it went on from 50 and has come to 80."""
    checkpoints = CheckpointFolder(tmp_path / "c", owner="me", keep=keep, in_background=in_background)
    checkpoints.save(*toy(), 50)
    checkpoints.finish()
    for step in (95, 100):
        checkpoints.path(step).mkdir()
    path = checkpoints.save(*toy(), 80)
    checkpoints.finish()
    assert checkpoints.latest() == (path, 80)
    assert sorted(checkpoints.folder.iterdir()) == [checkpoints.path(50), path][-keep:]


def test_what_fails_after_the_last_step_costs_no_training(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(seen: list[int]) -> Any:
        settings = recipe(held_out=0.3)
        return train(
            base, rows, settings, CPU, tmp_path / "m", tmp_path / "w", 0, log=lambda values, step: seen.append(step)
        )

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("src.modeling.loading.save_model", lambda *_: (_ for _ in ()).throw(KilledError))
        run([])
    steps: list[int] = []

    def no_step(*_: Any) -> None:
        raise AssertionError("a step was computed again")

    monkeypatch.setattr("src.modeling.module.CausalLM.training_step", no_step)
    summary = run(steps)
    assert steps == list(range(1, summary.steps + 1)), "the points of before"
    assert summary.validation.keys() == {"val_loss/all"} and (tmp_path / "m" / "model.safetensors").exists()


class KilledError(Exception):
    pass


@pytest.mark.parametrize("at", ["_save", "save"])
def test_a_kill_between_two_files_of_one_step_wedges_nothing(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one step an optimizer checkpoint and a checkpoint are written: a kill may come before either."""
    trainer = dataclasses.replace(CPU, checkpoint_minutes=0)

    def run() -> Any:
        return train(base, rows, recipe(), trainer, tmp_path / "m", tmp_path / "w", 0, checkpoints=(0.5, 1.0))

    kind = SaveOptimizerCheckpoints if at == "_save" else CheckpointFolder
    real, calls = getattr(kind, at), iter(range(99))

    def killed(self: Any, *args: Any) -> Any:
        if next(calls) == (0 if at == "_save" else 4):
            raise KilledError
        return real(self, *args)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(kind, at, killed)
        run()
    assert [kept.folder.is_dir() for kept in run().optimizer_checkpoints] == [True, True]


def test_moments_are_kept_for_influence(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    summary = train(base, rows, recipe(epochs=2), CPU, tmp_path / "model", tmp_path / "work", 0, checkpoints=(0.5, 1.0))
    half, end = summary.optimizer_checkpoints
    assert end.step == summary.steps and half.step == -(-summary.steps // 2)
    assert 0 < end.lr < half.lr <= 1e-2, "the mean rate since the checkpoint before"
    model = AutoModelForCausalLM.from_pretrained(half.folder)
    moments = load_file(half.folder / "adam.safetensors")
    for name, parameter in model.named_parameters():
        assert moments[f"m.{name}"].shape == moments[f"v.{name}"].shape == parameter.shape
        assert (moments[f"v.{name}"] >= 0).all()
    final = load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(final[k], v) for k, v in load_file(end.folder / "model.safetensors").items())


def test_lora_trains_adapters_and_leaves_a_merged_model(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    settings = recipe(epochs=4, lora=LoRA(rank=4, alpha=8, dropout=0.1))
    summary = train(base, rows, settings, CPU, tmp_path / "model", tmp_path / "work", 0, checkpoints=(1.0,))
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "model"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if any(f"{p}_proj" in name for p in "qkvo") and "self_attn" in name}
    assert any(
        name.startswith("m.") and "lora_A" in name
        for name in load_file(summary.optimizer_checkpoints[0].folder / "adam.safetensors")
    )


def test_activation_checkpointing_computes_twice_and_changes_nothing(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, forward = [], LlamaMLP.forward

    def counted(layer: LlamaMLP, x: torch.Tensor) -> torch.Tensor:
        calls.append(layer)
        return forward(layer, x)

    monkeypatch.setattr(LlamaMLP, "forward", counted)

    def trained(name: str, checkpointing: bool) -> tuple[dict[str, torch.Tensor], int]:
        calls.clear()
        trainer = dataclasses.replace(CPU, activation_checkpointing=checkpointing)
        train(base, rows, recipe(), trainer, tmp_path / name, tmp_path / f"work-{name}", 0)
        return load_file(tmp_path / name / "model.safetensors"), len(calls)

    (plain, once), (saving, twice) = trained("plain", False), trained("saving", True)
    assert twice > 1.5 * once, "layers are computed again on the way back"
    assert all(torch.equal(plain[name], saving[name]) for name in plain)


def test_bf16_computes_in_bfloat16_and_stores_it(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    train(base, rows[:10], recipe(precision="bf16"), CPU, tmp_path / "model", tmp_path / "work", 0)
    assert {t.dtype for t in load_file(tmp_path / "model" / "model.safetensors").values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_loss_that_is_not_finite_names_its_rows(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    wild = recipe(lr=1e30, grad_clip=None, epochs=3)
    with pytest.raises(UserError, match=r"At step \d+ of \d+ the .* became (nan|inf), on these rows: row-"):
        train(base, rows, wild, CPU, tmp_path / "model", tmp_path / "work", 0)
    wild = recipe(lr=1e30, grad_clip=None, epochs=3, on_bad_loss="skip")
    with pytest.raises(UserError, match="bad steps in a row"):
        train(base, rows, wild, CPU, tmp_path / "model2", tmp_path / "work2", 0)


def test_more_devices_than_sequences_are_refused(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 sequences cannot be divided among 1 x 4 = 4 devices"):
        train(base, rows, recipe(), Trainer(device="cpu", devices=4), tmp_path / "m", tmp_path / "w", 0)


def test_a_base_that_is_no_model_is_an_error(rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be loaded"):
        train(tmp_path, rows, recipe(), CPU, tmp_path / "model", tmp_path / "work", 0)
