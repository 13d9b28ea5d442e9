"""The speed of one card, with its record: `python -m tests.gpu.bench` (`make bench-gpu`), a quarter of an hour.

A training step of a Llama of 1.1 billion parameters in tokens/s, as a share of the card's peak and of what a product
of two large matrices reaches on the same card, packed, beside litgpt's own step where that is installed; influence in
samples/s and memory; texts by vLLM, as a stage asks for them and by vLLM's own `generate`; the demo, from its first
stage to its report. `--device=cpu --toy` runs the same lines on a small model, all but the demo, so that they are known
to run before a card is paid for.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from src.core.memory import release
from src.core.records import STUDENT
from src.doctor import programs_option
from src.modeling import attention, loading
from src.modeling.flops import TRAINING, peak
from src.modeling.loss import loss_sum
from src.modeling.lowered import move_fewer_bytes
from src.modeling.selftest import documents, may_chunk
from src.modeling.sources import TinyLlama
from src.modeling.trainer import Trainer
from src.selection.influence.gradients import PerSampleGradients
from src.selection.packed import Encoded, on_device
from tests.perf.machine import circumstances
from tests.perf.rows import math_rows

BILLION = TinyLlama(
    hidden_size=2048, layers=22, heads=32, kv_heads=4, intermediate_size=5632, vocab_size=32_000, max_positions=2048
)
TOY = TinyLlama(hidden_size=64, layers=2, heads=2, kv_heads=1, intermediate_size=128, vocab_size=300)
STEPS, WARM = 10, 3


def main(arguments: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--only", default="", help="what begins so: influence, training, generation, demo")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    source, slots = (TOY, 256) if given.toy else (BILLION, 16_384)
    with tempfile.TemporaryDirectory() as scratch:
        words = ["three apples and two pears make five"] * 99
        base = Path(source.prepare(Path(scratch) / "base", lambda: words, seed=0))
        found: dict[str, Any] = {"circumstances": circumstances(), "slots": slots}
        dense = dense_product(given.device, 256 if given.toy else 8192)
        found["dense product, TFLOP/s"] = dense / 1e12
        again = "activations checkpointed"
        measured: dict[str, Callable[[], Any]] = {
            "training": lambda: training(base, given.device, slots, "documents", False),
            f"training, {again}": lambda: training(base, given.device, slots, "documents", True),
            f"training, {again}, sdpa": lambda: training(base, given.device, slots, "sdpa", True),
            "influence": lambda: influence(base, given.device, slots, "bf16", False),
            f"influence, {again}": lambda: influence(base, given.device, slots, "bf16", True),
            "influence, float32": lambda: influence(base, given.device, slots, "float32", False),
            "training, litgpt": lambda: litgpt(source, given.device, slots),
            "generation": lambda: generation(base, Path(scratch), given.toy),
            "demo": lambda: demo(Path(scratch) / "outputs", given.toy),
        }
        for title, measure in measured.items():
            if not title.startswith(given.only):
                continue
            found[title] = _fitting(measure)
            if title.startswith("training") and "tokens/s" in found[title]:
                work = TRAINING * source.size().working_parameters * found[title]["tokens/s"]
                found[title]["of a dense product"] = work / dense
                if given.device == "cuda" and (best := peak(torch.cuda.get_device_name())):
                    found[title]["mfu"] = work / best
            print(title, found[title], flush=True)
            if given.out:
                given.out.write_text(json.dumps(found, indent=2) + "\n")
    return found


def _fitting(measure: Callable[[], Any]) -> Any:
    try:
        return measure()
    except torch.cuda.OutOfMemoryError as error:
        return f"does not fit: {error}"
    finally:
        release()


def dense_product(device: str, n: int) -> float:
    """Operations a second of an (n, n) x (n, n) product in bfloat16."""
    left, right = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 * _speed(lambda: left @ right, device, 0)["steps/s"]


def lengths(slots: int) -> list[int]:
    """Rows of a math corpus: some 400 tokens, now and then four times that."""
    pattern = [min(n, slots // 4) for n in (180, 320, 410, 260, 1600, 350, 520)]
    found: list[int] = []
    while sum(found) + max(pattern) < slots:
        found.append(pattern[len(found) % len(pattern)])
    return [*found, slots - sum(found)]


def training(base: Path, device: str, slots: int, name: str, checkpointing: bool) -> dict[str, float]:
    attention.choose_kernel(loading.load_config(base), "auto", slots)
    model = loading.load_model(base, name).to(device).train()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    move_fewer_bytes(model)  # as training does on a card
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    batch = documents(model.config.vocab_size, lengths(slots)).to(device)
    chunked = may_chunk(model, name)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16):
            loss = loss_sum(model, batch, name, chunked) / len(batch.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return _speed(step, device, slots)


def litgpt(source: TinyLlama, device: str, slots: int) -> dict[str, float] | str:
    """Its model and loss, in rows of 2,048 tokens as it reads them, without recomputing activations."""
    if not find_spec("litgpt"):
        return "not installed: pip install litgpt"
    from litgpt import GPT, Config
    from litgpt.utils import chunked_cross_entropy

    row = min(2048, slots)
    config = Config(
        block_size=row,
        vocab_size=source.vocab_size,
        n_layer=source.layers,
        n_head=source.heads,
        n_query_groups=source.kv_heads,
        n_embd=source.hidden_size,
        intermediate_size=source.intermediate_size,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
        bias=False,
        parallel_residual=False,
        rotary_percentage=1.0,
    )
    model = GPT(config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    tokens = torch.randint(0, source.vocab_size, (slots // row, row), device=device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16):
            loss = chunked_cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return _speed(step, device, slots)


def influence(
    base: Path, device: str, slots: int, precision: Literal["bf16", "float32"], checkpointing: bool
) -> dict[str, float]:
    trainer = Trainer(device=device, activation_checkpointing=checkpointing)  # type: ignore[arg-type]
    model = on_device(base, trainer, slots, precision)
    rows = [Encoded(str(i), [3 + token % 250 for token in range(n)], 8) for i, n in enumerate(lengths(slots))]
    with PerSampleGradients(model, ["*.o_proj", "*.down_proj"]) as gradients:
        found = _speed(lambda: gradients.run(rows, lambda *_: None), device, slots)
    return {"samples/s": len(rows) * found["steps/s"], "peak GB": found["peak GB"]}


def generation(base: Path, scratch: Path, toy: bool) -> dict[str, float] | str:
    """A stage's asking of vLLM beside `LLM.generate` on the same engine, all prompts at once and by chunks."""
    if not find_spec("vllm"):
        return "not installed: make install EXTRA=gpu"
    from tests.perf.generation import speeds

    count, chunk = (64, 16) if toy else (2_048, 256)
    dtype: Literal["float32", "bfloat16"] = "float32" if toy else "bfloat16"
    found, _ = speeds(str(base), math_rows(), count, chunk, 1 if toy else 3, scratch, dtype)
    ours = found["ours"]
    each = {name: median(a / b for a, b in zip(ours, found[name])) for name in ("all at once", "in chunks")}
    return {"tokens/s": median(ours), **{f"of generate, {name}": ratio for name, ratio in each.items()}}


def demo(outputs: Path, toy: bool) -> dict[str, float] | str:
    """What `make demo` runs, on the card: seconds and the student's accuracy, in percent. It has no smaller size."""
    if toy:
        return "left out: the demo takes minutes on a CPU"
    options = ["trainer=gpu", "study=bench", "tracker=none", f"outputs={outputs}", *programs_option().split()]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "src.train", *options], check=True)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, **student_accuracies(outputs)}


def student_accuracies(outputs: Path) -> dict[str, float]:
    """By benchmark, over all of its questions, of the one evaluation of a student that the store holds."""
    tables = [json.loads(path.read_text()) for path in sorted((outputs / "store").rglob("accuracy.json"))]
    rows = [row for table in tables for row in table if row["model"] == STUDENT and row["group"] == "all"]
    return {f"{row['benchmark']}, %": 100 * row["accuracy"] for row in rows}


def _speed(step: Callable[[], Any], device: str, tokens: int) -> dict[str, float]:
    on_card = device == "cuda"
    if on_card:
        torch.cuda.reset_peak_memory_stats()
    for i in range(STEPS):
        if i == WARM:
            _finish(on_card)
            began = time.perf_counter()
        step()
    _finish(on_card)
    seconds = (time.perf_counter() - began) / (STEPS - WARM)
    found = {"steps/s": 1 / seconds, "tokens/s": tokens / seconds}
    found["peak GB"] = torch.cuda.max_memory_allocated() / 1e9 if on_card else 0.0
    return found


def _finish(on_card: bool) -> None:
    if on_card:
        torch.cuda.synchronize()


if __name__ == "__main__":
    if "--device=cpu" not in sys.argv and not torch.cuda.is_available():
        sys.exit("torch sees no NVIDIA GPU here: `--device=cpu --toy` runs the same lines on a small model.")
    main(sys.argv[1:])
