"""datatrove's local MinHash and n-gram decontamination, timed: run by `tests/perf/cleaning.py` in an environment that
has datatrove, with the files to read. Prints the seconds and how many rows stay.

Its four MinHash steps and its decontamination filter as in its own examples, two tasks at a time. Words are split at
blanks, which is faster than the tokenizer it takes for English; the index of the questions is not in the clock.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer


class Blanks(WordTokenizer):
    """Words are what stands between blanks."""

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


BLANKS = Blanks()
MINHASH = MinhashConfig(n_grams=3, num_buckets=20, hashes_per_bucket=6)
NGRAMS = NGramsDecontConfig(n_grams=13, find_query_ngrams=False, find_overlap_ngrams=False)


def main(folder: Path, tasks: int, workers: int) -> None:
    """`folder` holds rows/*.jsonl (one a task, with `id` and `text`) and questions.json."""
    _index(folder)
    began = time.perf_counter()

    def step(pipeline: list, count: int, name: str) -> None:
        logs = str(folder / "logs" / name)
        LocalPipelineExecutor(pipeline=pipeline, tasks=count, workers=workers, logging_dir=logs).run()

    read = JsonlReader(str(folder / "rows"))
    signatures, buckets, removed = (str(folder / name) for name in ("signatures", "buckets", "removed"))
    step([read, MinhashDedupSignature(signatures, config=MINHASH, language=BLANKS)], tasks, "signature")
    step([MinhashDedupBuckets(signatures, buckets, config=MINHASH)], MINHASH.num_buckets, "buckets")
    step([MinhashDedupCluster(buckets, removed, config=MINHASH)], 1, "cluster")
    clean = [
        read,
        MinhashDedupFilter(removed),
        NGramsDecontFilter(str(folder / "index"), config=NGRAMS, language=BLANKS),
        JsonlWriter(str(folder / "out"), compression=None),
    ]
    step(clean, tasks, "filter")
    seconds = time.perf_counter() - began
    kept = sum(len(path.read_text().splitlines()) for path in (folder / "out").glob("*.jsonl"))
    print(json.dumps({"seconds": seconds, "kept": kept}))


def _index(folder: Path) -> None:
    """The hashes of the questions' runs of words; datatrove's own indexer wants lighteval for the same."""

    indexer = object.__new__(NGramsDecontIndexer)  # its constructor's guard asks for lighteval
    indexer.__init__(str(folder / "index"), config=NGRAMS, language=BLANKS)
    questions = json.loads((folder / "questions.json").read_text())
    hashes = {hash for question in questions for hash in indexer.compute_hashes(question)}
    (folder / "index").mkdir(parents=True, exist_ok=True)
    np.array(sorted(hashes), dtype=NGRAMS.hash_config.np_descr).tofile(folder / "index" / "exam.index.hashes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
