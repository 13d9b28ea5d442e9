from __future__ import annotations

import pytest
import torch

from src.core.progress import Progress
from src.core.records import Example
from src.modeling.recipe import LoRA, Recipe
from src.modeling.trainer import Trainer
from src.modeling.training import train
from src.selection.candidates import ById
from src.selection.influence.collect import LoadedCheckpoint, ProjectionJob, collect, fill
from src.selection.influence.projection import Sketch
from src.selection.influence.store import GradientStore
from src.selection.packed import Encoded
from tests.selection.conftest import example, tiny_lfm2, write_reference


class Given:
    """Stands in for a projector: each row's projection is known. A row that is not a number spoils its whole batch."""

    def __init__(self, rows: dict[str, torch.Tensor]):
        self.rows, self.passes = rows, []

    def project(self, batch, direction):
        self.passes.append([row.id for row in batch])
        found = torch.stack([self.rows[row.id] for row in batch])
        if found.isnan().any():
            found[:] = float("nan")
        return found, torch.where(found.isnan().any(1), float("nan"), 1.5)


ROWS = {
    "good": torch.tensor([3.0, 4.0]),
    "zero": torch.zeros(2),
    "broken": torch.tensor([float("nan"), 1.0]),
    "fine": torch.tensor([0.0, -2.0]),
}


def test_each_row_is_stored_or_named_with_its_reason(tmp_path):
    rows = [Encoded(id, [1, 2, 3], 1) for id in ROWS] + [Encoded("mute", [1, 2, 3], 3)]
    projector = Given(ROWS)
    with GradientStore(tmp_path, 2) as store:
        settled = sum(fill(store, projector, rows, "sgd", batch_tokens=100))
        assert store.skipped() == {
            "mute": "no response tokens",
            "zero": "gradient is zero",
            "broken": "gradient is not finite",
        }
        [block] = store.blocks()
    assert settled == 5
    assert [fact["loss"] for fact in block.facts] == [1.5, 1.5]
    assert dict(zip(block.ids, block.rows.tolist())) == {
        "good": pytest.approx([0.6, 0.8], abs=1e-3),
        "fine": [0.0, -1.0],
    }
    assert projector.passes == [["broken", "fine", "good", "zero"], ["broken"], ["fine"], ["good"], ["zero"]]


def test_gradients_of_a_model_with_convolutions_do_not_depend_on_the_batch_nor_on_what_it_has_no_positions_for(
    tmp_path,
):
    tiny_lfm2(257).save_pretrained(write_reference(tmp_path / "model"))
    rows = [example(family, 0) for family in range(4)]
    lora = LoRA(rank=4, alpha=8.0, dropout=0.0, targets=("in_proj", "q_proj"))
    recipe = Recipe(lr=1e-3, max_steps=2, sequence_length=1_024, batch_sequences=2, packing=False, lora=lora)
    trainer = Trainer(device="cpu", threads=1, rows_per_device=1)
    folders = tmp_path / "model", trainer, tmp_path / "out", tmp_path / "work"
    kept = train(folders[0], rows, recipe, *folders[1:], seed=0, checkpoints=[1.0]).optimizer_checkpoints
    long = Example("long", "x", "## Question\nWhat?\n", "and so on " * 60)

    def gradients(batch_tokens: int) -> dict[str, torch.Tensor]:
        place = tmp_path / str(batch_tokens)
        job = ProjectionJob(
            tmp_path / "model",
            kept[0],
            recipe,
            trainer,
            ("*.lora_*",),
            "sgd",
            "mean",
            Sketch(64, 0),
            batch_tokens,
            place,
        )
        with LoadedCheckpoint(job) as loaded, GradientStore(place, 64) as store:
            assert [len(row.tokens) for row in loaded.encode([long])] == [512]
            collect(loaded, ById(rows), Progress("gradients", total=len(rows), unit="candidates"))
            return {id: row for block in store.blocks() for id, row in zip(block.ids, block.rows)}

    alone, together = gradients(1), gradients(4_096)
    assert alone.keys() == {row.id for row in rows}
    for id, row in alone.items():
        torch.testing.assert_close(together[id], row, rtol=1e-3, atol=1e-3)
