"""Rows a second through the stage `clean`, beside datatrove's local MinHash and n-gram decontamination.

"The same checks" parses, finds duplicates and near-duplicates and 13-grams, tells topics, and writes tables in order;
"all checks" asks the rules, works out the arithmetic and finds near questions besides. datatrove gets the questions
alone, and one number is as good as another to it. Say where datatrove is installed with
DATATROVE_PYTHON=/path/to/its/python; it wants other versions of some packages than this project.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from src.stages.clean import Clean
from src.text.contamination import Decontamination
from tests.perf import million, planted
from tests.perf.measure import Aim, Comparison, Options, Skip, in_turns
from tests.perf.rows import REPOSITORY

WORKERS = min(2, os.cpu_count() or 1)


def run(options: Options) -> list[Comparison]:
    python = os.environ.get("DATATROVE_PYTHON") or (sys.executable if importlib.util.find_spec("datatrove") else None)
    if python is None:
        raise Skip("datatrove is not installed; name an interpreter that has it in DATATROVE_PYTHON")
    count = options.size(100_000, 2_000)
    corpus = planted.write(options.scratch / "corpus", count)
    read = len(pq.read_table(corpus / "truth.parquet", columns=["id"]))
    theirs = _as_jsonl(corpus, options.scratch / "theirs")
    kept: dict[str, int] = {}
    everything = million.stage(WORKERS)
    the_same = replace(everything, rules=None, verification=None, decontamination=Decontamination(ngram=13))

    def ours(name: str, how: Clean) -> float:
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
        return read / float(found["seconds"])

    sides = {
        "the same checks": lambda: ours("the same checks", the_same),
        "datatrove": datatrove,
        "all checks": lambda: ours("all checks", everything),
    }
    speed = in_turns(options.rounds, sides, warm_up=False)
    note = f"{read:,} rows, {WORKERS} processes; rows kept: {', '.join(f'{n} {k:,}' for n, k in kept.items())}"
    return [
        Comparison(f"rows, {name}", "/s", speed[name], speed["datatrove"], "datatrove", aim, note)
        for name, aim in (("the same checks", Aim(3)), ("all checks", None))
    ]


def _as_jsonl(corpus: Path, folder: Path) -> Path:
    """The same rows, for datatrove: one file a task, the questions as text."""
    (folder / "rows").mkdir(parents=True)
    files = [(folder / "rows" / f"{n:03d}.jsonl").open("w", encoding="utf-8") for n in range(WORKERS)]
    number = 0
    for shard in sorted((corpus / "generations").glob("*.parquet")):
        for row in pq.read_table(shard, columns=["id", "text"]).to_pylist():
            question = row["text"].partition("[Problem]\n")[2].partition("\n\n[Solution]")[0] or "nothing"
            files[number % WORKERS].write(json.dumps({"id": row["id"], "text": question}) + "\n")
            number += 1
    for file in files:
        file.close()
    questions = [text for exam in planted.exams().values() for text in exam.texts]
    (folder / "questions.json").write_text(json.dumps(questions))
    return folder
