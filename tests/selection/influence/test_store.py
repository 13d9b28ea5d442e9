from __future__ import annotations

import torch

from src.selection.influence.store import GradientStore


def unit(n: int, d: int = 16) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(n)), dim=1)


def read(store: GradientStore) -> dict[str, torch.Tensor]:
    return {id: row for block in store.blocks() for id, row in zip(block.ids, block.rows)}


def test_rows_come_back_in_half_precision_over_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr("src.selection.influence.store.FILE_ROWS", 4)
    monkeypatch.setattr("src.selection.influence.store.BLOCK_ROWS", 3)
    rows, ids = unit(11), [f"r{i}" for i in range(11)]
    with GradientStore(tmp_path, 16) as store:
        store.append(ids[:6], rows[:6], [{"loss": 1.0}] * 6)
        store.skip("bad", "gradient is not finite")
        store.append(ids[6:], rows[6:], [{"loss": 2.0}] * 5)
        found = read(store)
        assert store.skipped() == {"bad": "gradient is not finite"}
    assert list(found) == ids
    torch.testing.assert_close(torch.stack(list(found.values())), rows, rtol=1e-3, atol=1e-4)
    assert len(list(tmp_path.glob("*.f16"))) == 3


def test_a_row_that_was_not_journalled_is_written_again(tmp_path):
    with GradientStore(tmp_path, 16) as store:
        store.append(["a", "b"], unit(2), [{}, {}])
    journal = next((tmp_path / "journal").glob("*.jsonl"))
    journal.write_text(journal.read_text().splitlines()[0] + '\n{"id": "b", "ro')  # killed in the middle of b's line
    with GradientStore(tmp_path, 16) as store:
        done = store.done()
        assert "a" in done and "b" not in done and len(done) == 1
        store.append(["c"], unit(3)[2:], [{}])
        found = read(store)
    assert list(found) == ["a", "c"]
    torch.testing.assert_close(found["c"], unit(3)[2], rtol=1e-3, atol=1e-4)


def test_shards_are_written_apart_and_read_together(tmp_path):
    rows = unit(6)
    stores = [GradientStore(tmp_path, 16, shard) for shard in "01"]
    for turn in range(3):
        for me, store in enumerate(stores):
            store.append([f"r{2 * turn + me}"], rows[2 * turn + me][None], [{}])
    for store in stores:
        store.close()
    with GradientStore(tmp_path, 16) as store:
        assert [fact["at"] for block in store.blocks() for fact in block.facts] == [0, 1, 2, 0, 1, 2]
        found = read(store)
    assert list(found) == ["r0", "r2", "r4", "r1", "r3", "r5"]
    torch.testing.assert_close(torch.stack([found[f"r{i}"] for i in range(6)]), rows, rtol=1e-3, atol=1e-4)
