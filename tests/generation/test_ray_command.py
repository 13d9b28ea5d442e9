"""`compute=ray` as a user types it: the whole method, a worker killed in the middle, and the same tables as without."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_train import CORNER, ROOT

pytestmark = [pytest.mark.long, pytest.mark.vllm]

MORE = [
    *(word for word in CORNER if not word.startswith("generate.prompts=")),
    "generate.prompts=300",
    "synthesis.kv_cache_gb=0.2",
    "synthesis.max_num_seqs=16",  # so that texts still run when the first ones have ended
]
ON_RAY = ["compute=ray", "compute.workers=2", "compute.cpus=1"]


def start(outputs, *words):
    command = [sys.executable, "-m", "src.train", *MORE, f"outputs={outputs}", *words]
    with Path(f"{outputs}.log").open("w") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "COLUMNS": "200"})


def said(outputs):
    return Path(f"{outputs}.log").read_text()


def writers(run):
    """The processes of the run's Ray workers that write texts right now."""
    import psutil

    family = psutil.Process(run.pid).children(recursive=True)
    return [process for process in family if "ray::Worker" in " ".join(process.cmdline())]


def texts_so_far(outputs):
    """Of the stage that runs now on an engine, in its journal."""
    lines = [line for journal in outputs.rglob("answers/*.jsonl") for line in journal.read_text().splitlines()]
    return sum('"generator": "vllm"' in line for line in lines)


def kill_a_writer(run, outputs, texts):
    """After so many texts of one stage; returns whether there was one left to kill."""
    while run.poll() is None:
        if texts_so_far(outputs) >= texts and (there := writers(run)):
            os.kill(there[0].pid, signal.SIGKILL)
            return True
        time.sleep(0.02)
    return False


def tables(outputs):
    """SHA-256 of every table's shard in the store, by stage, key and path."""
    store = outputs / "store"
    return {
        str(shard.relative_to(store)): hashlib.sha256(shard.read_bytes()).hexdigest()
        for shard in sorted(store.glob("*/*/**/*.parquet"))
    }


def test_the_whole_method_on_a_cluster_that_loses_a_worker_writes_the_same_tables(tmp_path):
    pytest.importorskip("ray")
    here, on_ray = tmp_path / "here", tmp_path / "on_ray"
    run = start(on_ray, *ON_RAY)
    assert kill_a_writer(run, on_ray, texts=60), said(on_ray)
    assert run.wait(900) == 0, said(on_ray)
    assert "was lost" in said(on_ray)
    assert start(here).wait(900) == 0, said(here)

    assert tables(on_ray) == tables(here)
    assert {path.partition("/")[0] for path in tables(here)} >= {"generate", "clean", "evaluate"}
    for manifest in on_ray.glob("store/generate/*/manifest.json"):
        counts = json.loads(manifest.read_text())["counts"]
        assert counts["in"] == counts["kept"]
