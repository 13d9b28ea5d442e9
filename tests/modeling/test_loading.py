"""A model that is spread over several processes is whole in none of them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from src.core.errors import UserError
from src.modeling.loading import Spread, add_lora, load_model
from src.modeling.recipe import LoRA
from tests.modeling.processes import fork_server

RANKS = 4
MB = 1e6
SLACK = 16 * MB  # what gloo and the allocator keep: four were seen


def model_folder(folder: Path, hidden: int, layers: int) -> Path:
    heads = {"num_attention_heads": 8, "num_key_value_heads": 4}
    config = LlamaConfig(
        vocab_size=2_000, hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers, **heads
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def resident() -> int:
    """Bytes of this process that nothing but memory holds: pages of a mapped file can be dropped and read again."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def growth(work: Callable[[], None]) -> int:
    """By how much memory is above its beginning, at most, while `work` runs."""
    before, ended = resident(), threading.Event()
    highest = before

    def look() -> None:
        nonlocal highest
        while not ended.is_set():
            highest = max(highest, resident())
            ended.wait(0.001)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        work()
    finally:
        ended.set()
        looking.join()
    return max(highest, resident()) - before


def load_a_part(rank: int, port: int, small: Path, large: Path, out: Path) -> None:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": RANKS, "LOCAL_WORLD_SIZE": RANKS}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    torch.distributed.init_process_group("gloo")
    load_model(small, "sdpa", spread=Spread(RANKS))  # modules are imported, buffers made

    def work() -> None:
        model = load_model(large, "sdpa", spread=Spread(RANKS))
        with torch.no_grad():
            for weight in model.parameters():  # a mapped file takes no memory before it is read or written
                weight.to_local().add_(1)

    out.write_text(str(growth(work)))
    torch.distributed.barrier()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_a_rank_never_holds_more_than_its_part_and_a_layer(tmp_path: Path) -> None:
    small, large = model_folder(tmp_path / "small", 64, 2), model_folder(tmp_path / "large", 512, 16)
    weights = [4 * p.numel() for p in LlamaForCausalLM.from_pretrained(large).parameters()]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start, outs = fork_server(), [tmp_path / f"{rank}.txt" for rank in range(RANKS)]
    processes = [
        start.Process(target=load_a_part, args=(rank, port, small, large, out)) for rank, out in enumerate(outs)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    part, layer = sum(weights) / RANKS, sum(weights) / 16
    assert part + layer + SLACK < sum(weights) / 2  # so that a rank that held the whole, or half of it, would be seen
    for out in outs:
        assert 0.9 * part < float(out.read_text()) < part + layer + SLACK


def test_adapters_on_layers_that_are_not_there_are_refused_with_those_that_are(tmp_path: Path) -> None:
    model = load_model(model_folder(tmp_path / "model", 64, 1), "sdpa")
    with pytest.raises(
        UserError, match=r"cannot have adapters on query_key_value(.|\n)*recipe.lora.targets: down_proj, .*v_proj"
    ):
        add_lora(model, LoRA(rank=4, alpha=8.0, targets=("query_key_value",)), seed=0)
