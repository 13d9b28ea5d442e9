from __future__ import annotations

import numpy as np

from src.selection import vectors
from src.selection.vectors import VectorFile


def test_rows_add_up_and_dropped_ones_leave_no_gap(tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK", 2)
    file = VectorFile(tmp_path / "new" / "v.f16", rows=7, width=3)
    rows = np.arange(21, dtype=np.float16).reshape(7, 3)
    file.add([6, 0, 3], rows[[6, 0, 3]])
    file.add([1, 2, 4, 5], rows[[1, 2, 4, 5]])
    file.add([5], rows[[5]])
    rows[5] *= 2
    assert (file.read() == rows).all()
    file.keep(np.array([0, 2, 3, 5, 6]))
    assert (file.read() == rows[[0, 2, 3, 5, 6]]).all()
    assert file.path.stat().st_size == 5 * 3 * 2
