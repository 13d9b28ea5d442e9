"""Rows a second through the stage `clean`, beside datatrove's local MinHash and n-gram decontamination.

The like for like is "near-duplicates and 13-grams": both read the same files of parsed questions, two processes each,
and write the rows that stay (tests/perf/dedup.py). The stage is told beside it, from raw texts to sorted tables:
"stage, these checks" parses and tells topics besides, "stage, all checks" asks the rules, works out the arithmetic and
finds near questions too. To datatrove one number is as good as another. Say where it is installed with
DATATROVE_PYTHON=/path/to/its/python; it wants other versions of some packages than this project.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from src.stages.clean import Clean
from src.text.contamination import Decontamination
from src.text.parsing import ParsedProblem, parse_generation
from tests.perf import dedup, million, planted
from tests.perf.measure import Aim, Comparison, Options, Skip, in_turns
from tests.perf.rows import REPOSITORY

WORKERS = min(2, os.cpu_count() or 1)
LIKE_FOR_LIKE = "near-duplicates and 13-grams"


def run(options: Options) -> list[Comparison]:
    python = os.environ.get("DATATROVE_PYTHON") or (sys.executable if importlib.util.find_spec("datatrove") else None)
    if python is None:
        raise Skip("datatrove is not installed; name an interpreter that has it in DATATROVE_PYTHON")
    count = options.size(100_000, 2_000)
    corpus = planted.write(options.scratch / "corpus", count)
    read = len(pq.read_table(corpus / "truth.parquet", columns=["id"]))
    theirs = options.scratch / "theirs"
    questions = _as_jsonl(corpus, theirs)
    kept: dict[str, int] = {}
    everything = million.stage(WORKERS)
    the_same = replace(everything, rules=None, verification=None, decontamination=Decontamination(ngram=13))

    def alone(name: str) -> float:
        out = options.scratch / "alone"
        shutil.rmtree(out, ignore_errors=True)
        began = time.perf_counter()
        kept[name] = dedup.run(theirs / "rows", out, planted.exams(), WORKERS)
        return questions / (time.perf_counter() - began)

    def stage(name: str, how: Clean) -> float:
        out = options.scratch / "ours"
        shutil.rmtree(out, ignore_errors=True)
        ctx, seconds = million.clean(corpus, out, how)
        kept[name] = ctx.tally.kept
        return read / seconds

    def datatrove() -> float:
        for name in ("logs", "signatures", "buckets", "removed", "out", "index"):
            shutil.rmtree(theirs / name, ignore_errors=True)
        script = Path(__file__).with_name("datatrove_side.py")
        command = [python, str(script), str(theirs), str(WORKERS), str(WORKERS)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
        if done.returncode:
            raise RuntimeError(f"datatrove failed: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        kept["datatrove"] = found["kept"]
        return questions / float(found["seconds"])

    aims = {LIKE_FOR_LIKE: Aim(3), "stage, these checks": None, "stage, all checks": None}
    sides = {
        LIKE_FOR_LIKE: lambda: alone(LIKE_FOR_LIKE),
        "datatrove": datatrove,
        "stage, these checks": lambda: stage("stage, these checks", the_same),
        "stage, all checks": lambda: stage("stage, all checks", everything),
    }
    speed = in_turns(options.rounds, sides, warm_up=False)
    note = f"{read:,} rows, {questions:,} of them with a question; {WORKERS} processes; rows kept: "
    note += ", ".join(f"{name} {n:,}" for name, n in kept.items())
    return [
        Comparison(f"rows, {name}", "/s", speed[name], speed["datatrove"], "datatrove", aim, note)
        for name, aim in aims.items()
    ]


def _as_jsonl(corpus: Path, folder: Path) -> int:
    """The questions of all rows that have one, a file a task; returns their number."""
    (folder / "rows").mkdir(parents=True)
    files = [(folder / "rows" / f"{n:03d}.jsonl").open("w", encoding="utf-8") for n in range(WORKERS)]
    number = 0
    for shard in sorted((corpus / "generations").glob("*.parquet")):
        for row in pq.read_table(shard, columns=["id", "text"]).to_pylist():
            parsed = parse_generation(row["text"], "cot")
            if isinstance(parsed, ParsedProblem):
                files[number % WORKERS].write(json.dumps({"id": row["id"], "text": parsed.question}) + "\n")
                number += 1
    for file in files:
        file.close()
    questions = [text for exam in planted.exams().values() for text in exam.texts]
    (folder / "questions.json").write_text(json.dumps(questions))
    return number
