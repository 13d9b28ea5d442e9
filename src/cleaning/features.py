"""What is kept in memory or beside the text of each row, so that texts are compared without being read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from src.text.family import family_key
from src.text.grouping import grouping
from src.text.minhash import MinHashSketch, Sketcher
from src.text.shingles import U64, WordWindow, numbers_of, wholes, words_of


@dataclass(frozen=True)
class Features:
    """By row, all uint64 but the last four. `ids`, `tickets`: what of two alike rows decides; `whole`: of the question,
    with the `grouping` of its formulas; `family`: with other numbers and people; `numbers`: those in it, and the
    grouping; `bands` [rows, bands]; `sets` and `sizes`: its
    runs of words (uint32, one row after the other) and how many they are; `tool`: solved by a program."""

    ids: np.ndarray
    tickets: np.ndarray
    whole: np.ndarray
    family: np.ndarray
    numbers: np.ndarray
    bands: np.ndarray
    sets: np.ndarray
    sizes: np.ndarray
    tool: np.ndarray

    def take(self, rows: Sequence[int]) -> Features:
        """These rows alone, in order."""
        mask = np.zeros(len(self.ids), bool)
        mask[list(rows)] = True
        if mask.all():
            return self
        taken = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name != "sets"}
        return Features(sets=self.sets[np.repeat(mask, self.sizes)], **taken)

    def save(self, folder: Path) -> None:
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))


def features_of(
    ids: Sequence[str],
    tickets: Sequence[str],
    questions: Sequence[str],
    words: WordWindow,
    tool: Sequence[bool],
    sketch: MinHashSketch,
    families: bool,
) -> Features:
    """`questions`: normalised; `words`: of their keys; `sketch`: of these. `ids` are content ids. Without `families`
    all are 0."""
    family = wholes(words_of([family_key(question) for question in questions])) if families else np.zeros(len(ids), U64)
    grouped = wholes(words_of([grouping(question) for question in questions]))
    return Features(
        ids=np.array([int(id[:16], 16) for id in ids], U64),
        tickets=keys_of(tickets),
        whole=wholes(words) ^ grouped,
        family=family,
        numbers=numbers_of(words) ^ grouped,
        bands=sketch.bands,
        sets=sketch.sets.hashes,
        sizes=np.diff(sketch.sets.offsets).astype(np.uint32),
        tool=np.array(tool, bool),
    )


def keys_of(ids: Sequence[str]) -> np.ndarray:
    """One number an id, whatever the id looks like."""
    return words_of([id.replace(" ", "_") or "_" for id in ids]).hashes


def joined(pieces: Iterable[Features]) -> Features:
    """Several batches as one."""
    nothing = words_of([])
    there = list(pieces) or [features_of([], [], [], nothing, [], Sketcher().sketch(nothing), False)]
    return Features(**{f.name: np.concatenate([getattr(p, f.name) for p in there]) for f in fields(Features)})


class Shelf:
    """The features of all parts: a column at a time, the sets of words left on disk."""

    def __init__(self, folders: Sequence[Path], scratch: Path):
        self._folders, self._scratch = folders, scratch

    def column(self, name: str) -> np.ndarray:
        found = [np.load(folder / f"{name}.npy") for folder in self._folders]
        return np.concatenate(found) if found else np.zeros(0, U64)

    def band(self, number: int) -> np.ndarray:
        found = [np.load(folder / "bands.npy", mmap_mode="r")[:, number] for folder in self._folders]
        return np.concatenate(found) if found else np.zeros(0, U64)

    def sets(self) -> np.ndarray:
        """All sets in one file, mapped."""
        path = self._scratch / "sets.u32"
        with path.open("wb") as file:
            for folder in self._folders:
                np.load(folder / "sets.npy", mmap_mode="r").tofile(file)
        return np.memmap(path, np.uint32, "r") if path.stat().st_size else np.zeros(0, np.uint32)
