"""Near-duplicates and 13-grams with the parts of the stage `clean`, and nothing else: files of questions in, those that
stay out. What datatrove is asked for, so that the two can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from src.cleaning.duplicates import KEPT, Duplicates
from src.cleaning.features import Shelf, features_of, joined
from src.core.records import BATCH_ROWS
from src.text.contamination import AsksQuestions, ContaminationIndex, Decontamination
from src.text.normalise import question_key
from src.text.shingles import words_of

DUPLICATES = Duplicates(near=0.8)

_index: ContaminationIndex


def run(rows: Path, out: Path, benchmarks: Mapping[str, AsksQuestions], workers: int) -> int:
    """`rows`: JSONL files of `id` and `text`. Leaves files of the same names in `out`; returns how many rows stay."""
    files = sorted(rows.glob("*.jsonl"))
    folders = [out / path.stem for path in files]
    index = Decontamination(ngram=13).index(benchmarks)
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (index,)) as pool:
        clean = list(pool.map(_read, files, folders))
        fate = DUPLICATES.judge(Shelf(folders, out)).fate
        ends = np.cumsum([len(places) for places in clean])
        stay = [places[part == KEPT] for places, part in zip(clean, np.split(fate, ends[:-1]), strict=True)]
        list(pool.map(_write, files, folders, stay))
    return sum(map(len, stay))


def _begin(index: ContaminationIndex) -> None:
    global _index
    _index = index


def _read(path: Path, folder: Path) -> np.ndarray:
    """Leave the features of the file's rows in `folder`; return the places of the rows that are not contaminated."""
    features, places, start = [], [], 0
    for batch in _batches(path):
        ids, questions = [row["id"] for row in batch], [row["text"] for row in batch]
        keys = [question_key(question) for question in questions]
        words = words_of(keys)
        sketch = DUPLICATES.sketch.sketch(words)
        found = _index.find_all(keys, words, sketch)
        clean = [place for place in range(len(batch)) if place not in found]
        made = features_of(ids, ids, questions, words, [False] * len(ids), sketch, families=False)
        features.append(made.take(clean))
        places.append(start + np.array(clean, np.int64))
        start += len(batch)
    folder.mkdir(parents=True)
    joined(features).save(folder)
    return np.concatenate(places)


def _batches(path: Path) -> Iterator[list[dict[str, str]]]:
    with path.open(encoding="utf-8") as lines:
        while batch := [json.loads(line) for line in islice(lines, BATCH_ROWS)]:
            yield batch


def _write(path: Path, folder: Path, places: np.ndarray) -> None:
    wanted = np.zeros(int(places.max(initial=-1)) + 1, bool)
    wanted[places] = True
    with path.open(encoding="utf-8") as lines, folder.with_suffix(".jsonl").open("w", encoding="utf-8") as out:
        out.writelines(line for line, stays in zip(lines, wanted.tolist()) if stays)
