"""How well and how fast a large corpus is cleaned: `python -m tests.perf.million --rows 1000000 --workers 2`.

Makes the corpus (`tests/perf/planted.py`), cleans it, and compares what was removed with what was planted.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from src.cleaning.duplicates import Duplicates
from src.cleaning.verification import Verification
from src.core.stage import Artifact, StageContext
from src.stages.clean import Clean
from src.text.contamination import Decontamination
from src.text.quality import Rules
from tests.perf import planted

SAMPLE = 2_000  # removed near-duplicates whose similarity is taken again, the slow way


def stage(workers: int) -> Clean:
    """All checks that look at texts: rules, arithmetic, duplicates, near-duplicates, 13-grams, near questions."""
    return Clean(
        rules=Rules(boxed=False, repeated_words=None, stage_terms=False, english=False),
        duplicates=Duplicates(near=0.8),
        decontamination=Decontamination(ngram=13, near=0.8),
        benchmarks=planted.exams(),
        verification=Verification(programs="skip", wrong="note"),
        workers=workers,
    )


def clean(corpus: Path, out: Path, how: Clean) -> tuple[StageContext, float]:
    """Clean the corpus in `corpus` into `out`; the seconds that it took."""
    for name in ("out", "work"):
        (out / name).mkdir(parents=True)
    ctx = StageContext(out / "out", out / "work", {"generations": Artifact(corpus)}, out / "cache")
    began = time.perf_counter()
    how.run(ctx)
    seconds = time.perf_counter() - began
    ctx.tally.check()
    return ctx, seconds


def measures(corpus: Path, ctx: StageContext) -> dict[str, float]:
    """Precision and recall of each removal. A repetition is found when it and its original do not both stay."""
    truth = {row["id"]: row for row in pq.read_table(corpus / "truth.parquet").to_pylist()}
    gone = {row["id"]: row for row in pq.read_table(ctx.out / "rejections").to_pylist()}
    assert len(gone) + ctx.tally.kept == len(truth) == ctx.tally.entered
    found: dict[str, float] = {}
    for name, low in (("same", 0.0), ("near", 0.85), ("near", 0.8), ("near", 0.7)):
        pairs = [(id, row["of"]) for id, row in truth.items() if row["what"] == name and row["alike"] >= low]
        caught = sum(id in gone or of in gone for id, of in pairs)
        found[f"recall, {name}{f' at {low} or more' if low else ''} ({len(pairs):,} pairs)"] = caught / len(pairs)
    dirty = {id for id, row in truth.items() if row["what"] == "contaminated"}
    called = {id for id, row in gone.items() if row["reason"].startswith("contaminated")}
    found[f"recall, contaminated ({len(dirty):,})"] = len(dirty & called) / len(dirty)
    found["precision, contaminated"] = len(dirty & called) / len(called)
    broken = {id for id, row in truth.items() if row["what"] == "broken"}
    found[f"recall, broken ({len(broken):,})"] = len(broken & gone.keys()) / len(broken)
    return {**found, **_precisions(corpus, ctx, truth, gone)}


def _precisions(corpus: Path, ctx: StageContext, truth: dict, gone: dict) -> dict[str, float]:
    """Of removals as a repetition, by comparing with the row that stayed: all keys, or a sample of similarities."""
    by_reason: dict[str, list[str]] = {"duplicate question": [], "near-duplicate question": []}
    for id, row in sorted(gone.items()):
        by_reason.setdefault(row["reason"], []).append(id)
    same, near = by_reason["duplicate question"], by_reason["near-duplicate question"]
    same, near = (random.Random(0).sample(ids, min(SAMPLE, len(ids))) for ids in (same, near))
    wanted = {gone[id]["twin"] for id in (*same, *near)}
    stayed = {}
    for shard in sorted((ctx.out / "problems").glob("*.parquet")):
        table = pq.read_table(shard, columns=["id", "question"])
        pairs = zip(table["id"].to_pylist(), table["question"].to_pylist())
        stayed.update({id[:16]: question for id, question in pairs if id[:16] in wanted})
    asked = set(same) | set(near)
    texts = {}
    for shard in sorted((corpus / "generations").glob("*.parquet")):
        table = pq.read_table(shard, columns=["id", "text"])
        texts.update({i: t for i, t in zip(table["id"].to_pylist(), table["text"].to_pylist()) if i in asked})
    question = {id: text.partition("[Problem]\n")[2].partition("\n\n[Solution]")[0] for id, text in texts.items()}
    right = Counter[str]()
    for id in same:
        twin = stayed.get(gone[id]["twin"])
        right["same"] += twin is None or planted.question_key(twin) == planted.question_key(question[id])
    checked = [id for id in near if gone[id]["twin"] in stayed]
    right["near"] = sum(planted.similarity(stayed[gone[id]["twin"]], question[id]) >= 0.8 for id in checked)
    return {
        f"precision, same ({len(same):,} looked at)": right["same"] / max(len(same), 1),
        f"precision, near ({len(checked):,} looked at)": right["near"] / max(len(checked), 1),
    }


def peak_gib(workers: int) -> float:
    """Of this process, and as much again as the largest of its children for each of them."""
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + (workers if workers > 1 else 0) * child) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.million", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="an empty folder; some 2 GB for a million rows")
    arguments = parser.parse_args()
    began = time.perf_counter()
    corpus = arguments.out / "corpus"
    if not (corpus / "truth.parquet").exists():
        # in a process of its own, whose memory does not count
        import multiprocessing

        maker = multiprocessing.get_context("spawn").Process(target=planted.write, args=(corpus, arguments.rows))
        maker.start()
        maker.join()
        print(f"made in {time.perf_counter() - began:.0f} s; restart to measure memory", file=sys.stderr)
        return
    ctx, seconds = clean(corpus, arguments.out / "cleaned", stage(arguments.workers))
    peak = peak_gib(arguments.workers)
    found = {
        "rows": ctx.tally.entered,
        "seconds": round(seconds, 1),
        "rows a second": round(ctx.tally.entered / seconds),
        "peak GiB, all processes": round(peak, 2),
        **{name: round(value, 4) for name, value in measures(corpus, ctx).items()},
        **{f"left out: {reason}": n for reason, n in sorted(ctx.tally.rejected.items())},
        "kept": ctx.tally.kept,
    }
    (arguments.out / "found.json").write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(f"| {name} | {value:,} |" for name, value in found.items()))


if __name__ == "__main__":
    main()
