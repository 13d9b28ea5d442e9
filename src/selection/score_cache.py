"""Scores that take hours are kept in the shared cache under the hash of all that they depend on.

A sweep over rules (fraction, top_k, threshold) asks for the same scores again and again: they are computed once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from src.core.fingerprint import describe, in_key
from src.core.hub import model_identity
from src.core.records import Example, content_id
from src.selection.base import RULES, Reference, Targeted
from src.selection.candidates import ById
from src.selection.ranking import Ranking


def cached(
    kind: str,
    version: int,
    options: Targeted,
    candidates: ById,
    targets: Mapping[str, Sequence[Example]],
    reference: Reference,
    compute: Callable[[], Ranking],
) -> Ranking:
    """The ranking that `compute` makes, or the one that it made before of the same options, rows, targets and model.

    version: of the meaning of the scores. The ranking's vectors, if it has any, must be those of a `VectorFile`.
    """
    home = reference.cache / kind / _key(version, options, candidates, targets, reference)
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not home.exists():
            _save(compute(), home)
        return _read(home)


def _key(
    version: int,
    options: Targeted,
    candidates: ById,
    targets: Mapping[str, Sequence[Example]],
    reference: Reference,
) -> str:
    """Hash of all that the scores depend on, and of nothing else: not the rule, not the batch size."""
    names = (field.name for field in dataclasses.fields(options) if in_key(field))
    settings = {name: describe(getattr(options, name)) for name in names if name not in (*RULES, "targets")}
    settings |= {"version": version, "seed": reference.seed}
    return content_id(
        json.dumps(settings, sort_keys=True, default=dataclasses.asdict),
        json.dumps(model_identity(str(reference.model)), sort_keys=True),
        _digest(candidates),
        *(part for name in sorted(targets) for part in (name, _digest(targets[name]))),
    )


def _digest(rows: Iterable[Example]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for row in rows:
        found.update(content_id(row.id, row.source, row.prompt, row.response).encode())
    return found.hexdigest()


def _save(ranking: Ranking, home: Path) -> None:
    """Write beside, then rename: the folder exists = the scores are complete."""
    part = home.with_suffix(f".part{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    columns = {"ids": np.array(ranking.ids), "scores": np.stack(list(ranking.scores.values()))}
    if ranking.loss is not None:
        columns["loss"] = np.asarray(ranking.loss)
    np.savez(part / "columns.npz", allow_pickle=False, **columns)
    if isinstance(ranking.vectors, np.memmap):
        shutil.copyfile(str(ranking.vectors.filename), part / "vectors.f16")
    rest = {name: getattr(ranking, name) for name in ("skipped", "facts", "agreement")}
    (part / "rest.json").write_text(json.dumps({"targets": list(ranking.scores), **rest}, indent=1))
    part.replace(home)


def _read(home: Path) -> Ranking:
    rest = json.loads((home / "rest.json").read_text())
    with np.load(home / "columns.npz") as columns:
        ids, scores = [sys.intern(str(id)) for id in columns["ids"]], columns["scores"]
        loss = columns.get("loss")
    vectors = None
    if (file := home / "vectors.f16").exists():
        vectors = np.memmap(file, dtype=np.float16, mode="r").reshape(len(ids), -1)
    return Ranking(ids, dict(zip(rest.pop("targets"), scores, strict=True)), loss=loss, vectors=vectors, **rest)
