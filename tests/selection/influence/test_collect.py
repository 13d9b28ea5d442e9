from __future__ import annotations

import pytest
import torch

from src.selection.influence.collect import fill
from src.selection.influence.store import GradientStore
from src.selection.packed import Encoded


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
