"""Do influence's scores foretell what training does? `python -m tests.perf.influence_lds`, a minute on a CPU.

The linear datamodeling score (LDS) of TRAK (Park et al. 2023, arXiv 2303.14186): over random subsets S of the pool, the
rank correlation of sum_{z in S} score(z) with the gain on the target of a model trained on S. Beside it stands that of
the number of rows in S which are of the target's own family, the most that a perfect detector of relevance would get.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import torch

from src.core.records import Example
from src.modeling.loading import load_model, load_tokenizer
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.fidelity import spearman
from src.selection.influence import Influence
from src.selection.packed import Encoded, ResponseLoss, encode
from tests.selection.conftest import Families, example, train_reference

FAMILY = 3
SUBSETS = 40
SIZE = 50  # rows of a subset, of the pool's 100
LORA = LoRA(rank=8, alpha=16)
KINDS: dict[str, dict[str, Any]] = {
    "selector=influence": {"layers": ("*.o_proj", "*.down_proj"), "lora": None, "how": "preconditioned"},
    "LoRA, preconditioned": {"layers": ("*.lora_*",), "lora": LORA, "how": "preconditioned"},
    "LoRA, plain gradients": {"layers": ("*.lora_*",), "lora": LORA, "how": "sgd"},
}


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        model = train_reference(Path(scratch))
        pool = [example(family, i) for family in range(10) for i in range(10)]
        subsets = [random.Random(number).sample(pool, SIZE) for number in range(SUBSETS)]
        gains = _gains(model, subsets)
        own = [sum(row.source == f"family{FAMILY}" for row in subset) for subset in subsets]
        print("rows of the target's family", spearman(own, gains))
        for name, kind in KINDS.items():
            scores = _scores(model, pool, Path(scratch) / name, **kind)
            print(name, spearman([sum(scores[row.id] for row in subset) for subset in subsets], gains))


def _scores(
    model: Path, pool: list[Example], folder: Path, layers: tuple[str, ...], lora: LoRA | None, how: Any
) -> dict[str, float]:
    selector = Influence(
        top_k=1,
        targets={"target": Families((FAMILY,), 20)},
        warmup=Recipe(lr=1e-3, epochs=2, sequence_length=256, batch_sequences=2, lora=lora),
        warmup_fraction=1.0,
        checkpoints=1,
        layers=layers,
        direction=how,
        target_direction=how,
        dimension=2048,
        fidelity_rows=0,
    )
    return dict(selector.rank(pool, Reference(model, folder / "work", folder / "cache", Trainer(threads=1))).order())


def _gains(model: Path, subsets: list[list[Example]]) -> list[float]:
    tokenizer = load_tokenizer(model)
    aims = encode(tokenizer, list(Families((FAMILY,), 20).dev_examples()), 256)
    return [-_loss_after(model, encode(tokenizer, subset, 256), aims) for subset in subsets]


def _loss_after(folder: Path, rows: list[Encoded], aims: list[Encoded]) -> float:
    """Mean loss on the target after two epochs, all weights trained, on these rows."""
    model = load_model(folder, "sdpa")
    loss, optimizer = ResponseLoss(model), torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    draw = random.Random(0)
    for _ in range(2):
        draw.shuffle(rows)
        for first in range(0, len(rows), 10):
            loss(rows[first : first + 10]).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        return float(loss(aims).mean())


if __name__ == "__main__":
    main()
