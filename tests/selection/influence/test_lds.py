"""Do the scores foretell what training does? The linear datamodeling score, against real retraining."""

from __future__ import annotations

import random

import pytest
import torch

from src.modeling.loading import load_model, load_tokenizer
from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.fidelity import spearman
from src.selection.influence import Influence
from src.selection.packed import ResponseLoss, encode
from tests.selection.conftest import Families, example

TARGET = Families((3,), 20)
SUBSETS = 40
ROWS = 25  # of the hundred in the pool: few, so that subsets differ in what they teach


def retrained_loss(folder, rows, aims) -> float:
    """Mean loss on the target's examples after a short training of all weights on these rows."""
    model = load_model(folder, "sdpa")
    loss, optimizer = ResponseLoss(model), torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    draw = random.Random(0)
    for _ in range(4):
        draw.shuffle(rows)
        for first in range(0, len(rows), 5):
            loss(rows[first : first + 5]).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        return float(loss(aims).mean())


@pytest.mark.slow
def test_sums_of_scores_foretell_the_losses_of_retrained_models(trained, tmp_path):
    """LDS as in TRAK (Park et al. 2023, arXiv 2303.14186): over random subsets S of the pool, the rank correlation of
    sum_{z in S} score(z) with the gain on the target of a model trained on S; the options of `selector=influence`."""
    torch.set_num_threads(1)
    pool = [example(family, i) for family in range(10) for i in range(10)]
    selector = Influence(
        top_k=1,
        targets={"t": TARGET},
        warmup=Recipe(lr=1e-3, epochs=2, sequence_length=256, batch_sequences=2),
        warmup_fraction=1.0,
        checkpoints=1,
        layers=("*.o_proj", "*.down_proj"),
        direction="preconditioned",
        target_direction="preconditioned",
        dimension=2048,
        fidelity_rows=0,
    )
    scores = dict(selector.rank(pool, Reference(trained, tmp_path / "w", tmp_path / "c", Trainer(threads=1))).order())
    tokenizer = load_tokenizer(trained)
    rows, aims = encode(tokenizer, pool, 256), encode(tokenizer, list(TARGET.dev_examples()), 256)
    foretold, gained = [], []
    for number in range(SUBSETS):
        subset = random.Random(number).sample(rows, ROWS)
        foretold.append(sum(scores[row.id] for row in subset))
        gained.append(-retrained_loss(trained, subset, aims))
    found = spearman(foretold, gained)
    print("linear datamodeling score", found)
    assert found >= 0.3
