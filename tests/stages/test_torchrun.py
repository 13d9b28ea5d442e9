"""A real pre-training stage, run from its spec by the launcher: two processes leave what one leaves."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from src.core.errors import UserError
from src.core.fingerprint import describe
from src.core.records import Problem, write_table
from src.modeling.recipe import Recipe
from src.modeling.schedules import WSD
from src.modeling.trainer import Trainer
from src.pipeline.launch import Local, free_port
from src.stages.pretrain import Pretrain
from src.stages.sft import ProceduralSFT
from tests.modeling.tiny import CPU, TINY

RECIPE = Recipe(lr=1e-2, schedule=WSD(), sequence_length=128, batch_sequences=3, epochs=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("corpus")
    rows = [
        Problem(f"q{i}", f"p{i}", "x", "amc8", "cot", f"{i} + 1?", f"\\boxed{{{i + 1}}}", None, "t", 1)
        for i in range(40)
    ]
    write_table(tmp_path / "clean" / "problems", Problem, rows)
    texts = [row.prompt + row.response for row in ProceduralSFT(n=20).examples()]
    TINY.prepare(tmp_path / "base" / "model", lambda: texts, seed=0)
    return tmp_path / "clean"


def run(corpus: Path, folder: Path, trainer: Trainer, compute: Local, **recipe: Any) -> dict[str, Any]:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    stage = Pretrain(TINY, dataclasses.replace(RECIPE, **recipe), trainer, sft=ProceduralSFT(n=10))
    inputs = {"base": str(corpus.with_name("base")), "corpus": str(corpus)}
    spec = {"kind": "pretrain", "stage": describe(stage), "inputs": inputs, "folder": str(folder)}
    return compute.run({**spec, "cache": str(folder.parent / "cache")}, folder, heavy=True)


@pytest.fixture(scope="module")
def alone(corpus: Path) -> tuple[Path, dict[str, Any]]:
    """What one process leaves, and what it measured."""
    folder = corpus.with_name("alone") / "one"
    return folder, run(corpus, folder, CPU, Local())


def points(folder: Path) -> list[tuple[int, float, float]]:
    lines = map(json.loads, (folder / "out" / "metrics.jsonl").read_text().splitlines())
    return [(point["step"], point["loss"], point["grad_norm"]) for point in lines]


@pytest.mark.slow
def test_two_processes_leave_what_one_leaves(corpus: Path, alone: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    (one, measured), two = alone, tmp_path / "two"
    both = run(corpus, two, dataclasses.replace(CPU, devices=2), Local(torchrun=2))
    assert [step for step, *_ in points(two)] == [step for step, *_ in points(one)], "each step logged once"
    for mine, theirs in zip(points(one), points(two), strict=True):
        assert theirs == pytest.approx(mine, rel=1e-3)
    assert both["counts"] == measured["counts"]
    assert both["metrics"]["tokens"] == measured["metrics"]["tokens"]
    base, mine, theirs = (
        load_file(folder / "model" / "model.safetensors")
        for folder in (corpus.with_name("base"), one / "out", two / "out")
    )
    moved = sum(float((mine[name] - base[name]).square().sum()) for name in base)
    apart = sum(float((mine[name] - theirs[name]).square().sum()) for name in base)
    assert apart < 1e-4 * moved, "the weights are those of one process, up to the order of sums"


@pytest.mark.slow
def test_two_processes_share_a_stable_state_and_read_held_out_rows(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sharing = dataclasses.replace(CPU, devices=2, share_stable=True, validations=2)
    first = run(corpus, tmp_path / "one", sharing, Local(), held_out=0.2)
    assert "only the decay is left" not in capfd.readouterr().err
    again = run(corpus, tmp_path / "two", sharing, Local(), held_out=0.2)
    assert "only the decay is left" in capfd.readouterr().err
    alone = run(corpus, tmp_path / "three", dataclasses.replace(sharing, devices=1), Local(), held_out=0.2)
    assert len(list((tmp_path / "cache" / "stable").glob("*/state"))) == 1
    assert points(tmp_path / "two") == points(tmp_path / "one")
    assert "val_loss/sft" in alone["metrics"]
    for name, value in alone["metrics"].items():
        if name.startswith("val_loss"):
            assert first["metrics"][name] == again["metrics"][name] == pytest.approx(value, rel=1e-3)


TWICE = ("sh", "-c", '"$@" & "$@" & wait', "on {nodes} machines")


@pytest.mark.slow
def test_two_nodes_leave_what_one_leaves(corpus: Path, alone: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Both are this machine; they find each other as those of a cluster do."""
    one, measured = alone
    compute = Local(across=TWICE, rendezvous=f"127.0.0.1:{free_port()}")
    both = run(corpus, tmp_path / "two", dataclasses.replace(CPU, nodes=2, strategy="fsdp"), compute)
    for mine, theirs in zip(points(one), points(tmp_path / "two"), strict=True):
        assert theirs == pytest.approx(mine, rel=1e-3)
    assert both["counts"] == measured["counts"]


@pytest.mark.slow
def test_what_a_worker_by_hand_has_made_is_taken_over(corpus: Path, tmp_path: Path) -> None:
    two_nodes = dataclasses.replace(CPU, nodes=2)
    by_hand = Local(across=())
    with pytest.raises(UserError, match="trains on 2 machines, and") as caught:
        run(corpus, tmp_path / "a", two_nodes, by_hand)
    (command,) = re.findall(r"`(.*?)`", caught.value.mend)
    words = re.sub(r"--rendezvous=\S+", f"--rendezvous=127.0.0.1:{free_port()}", command).split()
    for process in [subprocess.Popen(words) for _ in range(2)]:
        assert process.wait() == 0
    (tmp_path / "a" / "work" / "rows" / "rows.json").unlink()  # nothing is computed again
    again = run(corpus, tmp_path / "a", two_nodes, by_hand)
    assert again["metrics"]["tokens"] > 0 and not (tmp_path / "a" / "work" / "rows" / "rows.json").exists()


@pytest.mark.slow
def test_processes_and_devices_must_agree(corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="1 x 1 = 1 devices, one process each, but 2 processes were started") as caught:
        run(corpus, tmp_path / "a", CPU, Local(torchrun=2))
    assert "compute.torchrun=1" in caught.value.mend
    assert "Traceback" not in capfd.readouterr().err
    with pytest.raises(UserError, match="1 x 2 = 2 devices, one process each, but 1 process was started"):
        run(corpus, tmp_path / "b", dataclasses.replace(CPU, devices=2), Local(torchrun=1))
