"""Several processes on a CPU give what one gives, with whole models, sharded ones and adapters on sharded ones.
Stopped, they go on with another number of processes."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers.distributed.fsdp
from safetensors.torch import load_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor

from src.modeling.module import CausalLM
from src.modeling.recipe import LoRA, Recipe
from src.modeling.sharding import computing_device, is_sharded
from src.modeling.strategies import offloading
from src.modeling.training import train
from tests.modeling.alone import spread_over_one
from tests.modeling.processes import fork_server
from tests.modeling.tiny import CPU, addition

STOP = 4
UNPINNED = partial(CPUOffloadPolicy, pin_memory=False)  # memory is pinned for a card alone


class StoppedError(Exception):
    pass


def rank(number: int, devices: int, port: int, home: Path, base: Path, jobs: dict[str, dict[str, Any]]) -> None:
    """One of `devices` processes, as torchrun would start it; the jobs one after the other."""
    place = {"RANK": number, "LOCAL_RANK": number, "GROUP_RANK": 0, "WORLD_SIZE": devices, "LOCAL_WORLD_SIZE": devices}
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"} if devices > 1 else {}
    os.environ.update({name: str(value) for name, value in {**place, **where}.items()})
    for name, options in jobs.items():
        job(home / options.get("folder", name), base, devices, options)


def job(folder: Path, base: Path, devices: int, options: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lora = LoRA(rank=4, alpha=8, dropout=0.0) if options.get("lora") else None
    precision = options.get("precision", "float32")
    recipe = Recipe(lr=1e-2, sequence_length=96, batch_sequences=5, epochs=2, lora=lora, precision=precision)
    machine = {k: v for k, v in options.items() if k in ("strategy", "activation_checkpointing", "offload")}
    trainer = dataclasses.replace(CPU, devices=devices, rows_per_device=2, checkpoint_minutes=0, **machine)

    def log(values: dict[str, float], step: int) -> None:
        with (folder / "log.txt").open("a") as file:
            file.write(f"{values['loss']!r} {values['grad_norm']!r}\n")

    step = CausalLM.training_step

    def stopped(self: CausalLM, batch: Any, batch_idx: int) -> None:
        if batch.step == options.get("stop"):
            raise StoppedError
        step(self, batch, batch_idx)
        if self.global_rank == 0:
            with (folder / "steps.txt").open("a") as file:
                file.write(f"{batch.step}\n")

    rows = [addition(i) for i in range(60)]
    with pytest.MonkeyPatch.context() as patch, suppress(StoppedError):
        patch.setattr(CausalLM, "training_step", stopped)
        patch.setattr(transformers.distributed.fsdp, "CPUOffloadPolicy", UNPINNED)
        train(base, rows, recipe, trainer, folder / "model", folder / "work", 0, log=log)


ONE = {
    "full": {},
    "lora": {"lora": True},
    "bf16": {"precision": "bf16"},
    "bf16 lora": {"precision": "bf16", "lora": True},
    "full stopped": {"stop": STOP},
    "bf16 stopped": {"precision": "bf16", "stop": STOP},
    "bf16 lora stopped": {"precision": "bf16", "lora": True, "stop": STOP},
}
TWO = {
    "ddp full": {"strategy": "ddp"},
    "ddp lora": {"strategy": "ddp", "lora": True},
    "ddp bf16": {"strategy": "ddp", "precision": "bf16"},
    "ddp bf16 lora": {"strategy": "ddp", "precision": "bf16", "lora": True},
    "fsdp full": {"strategy": "fsdp"},
    "fsdp lora": {"strategy": "fsdp", "lora": True},
    "fsdp full offloaded": {"strategy": "fsdp", "offload": True},
    "fsdp lora offloaded": {"strategy": "fsdp", "offload": True, "lora": True},
    "fsdp bf16": {"strategy": "fsdp", "precision": "bf16", "activation_checkpointing": True},
    "fsdp bf16 lora": {"strategy": "fsdp", "precision": "bf16", "lora": True},
    "full two after one": {"strategy": "fsdp", "folder": "full stopped"},
    "bf16 two after one": {"strategy": "ddp", "precision": "bf16", "folder": "bf16 stopped"},
    "bf16 lora two after one": {"strategy": "fsdp", "precision": "bf16", "lora": True, "folder": "bf16 lora stopped"},
    "full stopped in two": {"strategy": "fsdp", "stop": STOP},
    "bf16 stopped in two": {"strategy": "ddp", "precision": "bf16", "stop": STOP},
    "bf16 lora stopped in two": {"strategy": "fsdp", "precision": "bf16", "lora": True, "stop": STOP},
}
AGAIN = {
    "full one after two": {"folder": "full stopped in two"},
    "bf16 one after two": {"precision": "bf16", "folder": "bf16 stopped in two"},
    "bf16 lora one after two": {"precision": "bf16", "lora": True, "folder": "bf16 lora stopped in two"},
}


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All jobs, in processes that have torch loaded: starting Python anew costs more than the trainings."""
    home = tmp_path_factory.mktemp("distributed")
    start = fork_server()
    for devices, jobs in ((1, ONE), (2, TWO), (1, AGAIN)):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given = [(number, devices, port, home, base, jobs) for number in range(devices)]
        processes = [start.Process(target=rank, args=arguments) for arguments in given]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
    return home


def losses(folder: Path) -> list[list[float]]:
    return [[float(x) for x in line.split()] for line in (folder / "log.txt").read_text().splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert a.keys() == b.keys()
    return sum(float((a[name].float() - b[name].float()).square().sum()) for name in a) ** 0.5


def apart(base: Path, mine: Path, theirs: Path) -> float:
    """The difference of two trainings' weights, as a share of how far the first has moved them."""
    moved = distance(load_file(base / "model.safetensors"), weights(mine))
    assert moved > 0
    return distance(weights(mine), weights(theirs)) / moved


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "lora"])
@pytest.mark.parametrize("strategy", ["ddp {}", "fsdp {}", "fsdp {} offloaded"])
def test_two_processes_end_with_the_weights_of_one(base: Path, trained: Path, strategy: str, kind: str) -> None:
    one, two = trained / kind, trained / strategy.format(kind)
    for mine, theirs in zip(losses(one), losses(two), strict=True):
        assert theirs == pytest.approx(mine, rel=1e-3)
    assert apart(base, one, two) < 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bf16", "bf16 lora"])
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_in_the_types_of_a_gpu(base: Path, trained: Path, strategy: str, kind: str) -> None:
    """Sharded weights travel in bfloat16, which rounds otherwise than autocast does."""
    one, two = trained / kind, trained / f"{strategy} {kind}"
    for mine, theirs in zip(losses(one), losses(two), strict=True):
        assert theirs == pytest.approx(mine, rel=5e-2)
    assert {tensor.dtype for tensor in weights(two).values()} == {torch.bfloat16}
    assert apart(base, one, two) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["stopped", "stopped in two"])
@pytest.mark.parametrize(
    ("kind", "of_losses", "of_weights"), [("full", 1e-3, 1e-2), ("bf16", 5e-2, 0.15), ("bf16 lora", 5e-2, 0.15)]
)
def test_a_stopped_training_goes_on_with_another_number_of_processes(
    base: Path, trained: Path, kind: str, of_losses: float, of_weights: float, folder: str
) -> None:
    """Of two processes each holds a part of the model in float32, in bfloat16 all of it, with adapters a part again."""
    one, stopped = trained / kind, trained / f"{kind} {folder}"
    whole, resumed = losses(one), losses(stopped)
    for mine, theirs in zip([*whole[:STOP], *whole], resumed, strict=True):  # the points of before are logged once more
        assert theirs == pytest.approx(mine, rel=of_losses)
    assert (stopped / "steps.txt").read_text() == (one / "steps.txt").read_text()  # none is trained twice
    assert apart(base, one, stopped) < of_weights


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A group of one process; its mesh."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def test_offloaded_shards_stay_on_the_host_and_all_else_goes_to_the_card(alone: Any) -> None:
    """The device "meta" stands for the card: what is moved there has no numbers any more."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    for module in (*model, model):
        fully_shard(module, mesh=alone, offload_policy=UNPINNED())
    before = [p.to_local().clone() for p in model.parameters()]
    adapter = model[0].adapter = torch.nn.Linear(4, 2)  # as peft adds one to a layer that is spread
    model[1].register_buffer("angles", torch.ones(3))

    class OnMeta(offloading()):  # type: ignore[misc]
        root_device = torch.device("meta")

    strategy = OnMeta()
    strategy._lightning_module = strategy.model = module = CausalLM.__new__(CausalLM)
    super(CausalLM, module).__init__()
    module.model = model
    strategy.model_to_device()
    shards = [p for p in model.parameters() if isinstance(p, DTensor)]
    assert all(torch.equal(p.to_local(), b) for p, b in zip(shards, before, strict=True))
    assert {adapter.weight.device.type, adapter.bias.device.type, model[1].angles.device.type} == {"meta"}
    assert module.device.type == "meta", "where Lightning sends the batches"


def test_an_offloaded_model_computes_on_the_devices_of_its_mesh() -> None:
    shard = SimpleNamespace(device=torch.device("cpu"), device_mesh=SimpleNamespace(device_type="meta"))
    plain = SimpleNamespace(device=torch.device("cpu"))
    devices = [computing_device(SimpleNamespace(parameters=lambda p=p: iter([p]))) for p in (shard, plain)]
    assert [device.type for device in devices] == ["meta", "cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LoRA(rank=4, dropout=0.0)], ids=["full", "lora"])
def test_one_process_alone_runs_the_code_of_sharded_models(
    base: Path, tmp_path: Path, lora: LoRA | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `tests/gpu/test_card.py` does on a card."""
    recipe, rows = Recipe(lr=1e-2, sequence_length=96, batch_sequences=5, lora=lora), [addition(i) for i in range(40)]
    seen: list[bool] = []
    step = CausalLM.training_step
    monkeypatch.setattr(
        CausalLM, "training_step", lambda self, *given: (seen.append(is_sharded(self.model)), step(self, *given))[1]
    )
    plain = train(base, rows, recipe, CPU, tmp_path / "plain", tmp_path / "plain-work", 0)
    with spread_over_one("cpu", tmp_path):
        trainer = dataclasses.replace(CPU, strategy="fsdp", activation_checkpointing=True)
        sharded = train(base, rows, recipe, trainer, tmp_path / "sharded", tmp_path / "sharded-work", 0)
    assert seen == [False] * plain.steps + [True] * sharded.steps
    assert sharded.final_loss == pytest.approx(plain.final_loss, rel=1e-3)
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("plain", "sharded"))
    assert distance(ours, theirs) < 1e-2 * distance(ours, load_file(base / "model.safetensors"))
