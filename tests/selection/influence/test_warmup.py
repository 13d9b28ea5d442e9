"""What a warm-up leaves for those who go on from it."""

from __future__ import annotations

import resource
from types import SimpleNamespace

import pytest

from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.candidates import ById
from src.selection.influence import Influence
from src.selection.influence.warmup import warm_up
from tests.selection.conftest import Families, example


def test_a_full_disk_leaves_no_half_a_list_of_checkpoints(tmp_path, monkeypatch):
    folder = tmp_path / "work" / "warmup"
    folder.mkdir(parents=True)
    checkpoints = [SimpleNamespace(folder=folder / "optimizer_checkpoints" / "step-00000001")]
    monkeypatch.setattr(
        "src.modeling.training.train", lambda **options: SimpleNamespace(optimizer_checkpoints=checkpoints)
    )
    options = Influence(warmup=Recipe(lr=1.0), targets={"t": Families((0,))}, top_k=1)
    reference = Reference(tmp_path / "model", tmp_path / "work", tmp_path / "cache", Trainer(threads=1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9, before[1]))  # bytes of a file
    try:
        with pytest.raises(OSError, match="too large"):
            warm_up(options, ById([example(0, 0)]), reference)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (folder / "kept.json").exists()
