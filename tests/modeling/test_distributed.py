"""Two processes on a CPU give what one gives."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

RUN = """
import dataclasses, sys
from pathlib import Path
from src.modeling.recipe import Recipe
from src.modeling.training import train
from tests.modeling.tiny import CPU, addition
folder, base, devices, strategy = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
trainer = dataclasses.replace(CPU, devices=devices, strategy=strategy, rows_per_device=2, checkpoint_minutes=0)
recipe = Recipe(lr=1e-2, sequence_length=96, batch_sequences=5, epochs=2)
def log(values, step):
    with (folder / "log.txt").open("a") as file:
        file.write(f"{values['loss']!r} {values['grad_norm']!r}\\n")
train(base, [addition(i) for i in range(60)], recipe, trainer, folder / "model", folder / "work", 0, log=log)
"""


def losses(folder: Path, base: Path, devices: int, strategy: str = "auto") -> list[list[float]]:
    folder.mkdir()
    script = folder / "run.py"
    script.write_text(RUN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={devices}", f"--master-port={port}"]
    command = [sys.executable, *(torchrun if devices > 1 else []), str(script), str(folder), str(base)]
    done = subprocess.run(
        [*command, str(devices), strategy],
        cwd=REPOSITORY,
        env={**__import__("os").environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return [[float(x) for x in line.split()] for line in (folder / "log.txt").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_have_the_losses_of_one(base: Path, tmp_path: Path, strategy: str) -> None:
    one = losses(tmp_path / "one", base, 1)
    two = losses(tmp_path / "two", base, 2, strategy)
    assert len(one) == len(two) > 5
    for mine, theirs in zip(one, two, strict=True):
        assert theirs == pytest.approx(mine, rel=1e-3)
