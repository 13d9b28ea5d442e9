"""Run one stage from its spec: `python -m src.worker spec.json`. What the launcher starts; useful alone to debug.

spec.json: {kind, stage: options with _target_, inputs: {name: folder}, folder, cache, label}. The stage fills
`<folder>/out`; `<folder>/result.json` says how it went: {counts, metrics, seconds, peak_memory_mb, gpus} or {problem,
mend}.

With `--processes=N` it starts N of itself under torchrun, one a device, which run the stage together; with `--nodes=M`
and `--rendezvous=HOST:PORT` it does so on each of M machines where it is started.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from src.config.build import build
from src.core import stopping
from src.core.console import labelled
from src.core.errors import UserError
from src.core.processes import cores, end_with_parent
from src.core.progress import Progress
from src.core.secrets import hide_secrets
from src.core.stage import PROGRESS, Artifact, Stage, StageContext
from src.core.store import (
    FULL_DISK_CODE,
    RESULT,
    finished_work,
    full_disk_explained,
    is_full_disk,
    worker_lock,
    write_json,
)


def run_spec(path: Path, tell: bool = False) -> dict[str, Any]:
    """Run the stage of a spec into an empty `out`, unless another worker has finished it meanwhile; returns the
    measurements. tell: write them to `result.json` before anybody else may empty `out`."""
    spec = json.loads(path.read_text())
    folder, id = Path(spec["folder"]), spec.get("id")
    stage = build(spec["stage"], spec["kind"])
    if _rank():
        with labelled(spec.get("label", "")):
            return _run(stage, spec, folder)
    with worker_lock(folder), labelled(spec.get("label", "")):
        # Of several processes the others are at work already; their launcher has looked.
        if int(os.environ.get("WORLD_SIZE", 1)) == 1:
            if done := finished_work(folder, id):
                return done
            (folder / RESULT).unlink(missing_ok=True)  # of what `out` holds now, with options that change no row
        shutil.rmtree(folder / "out")
        (folder / "out").mkdir()
        result = _run(stage, spec, folder)
        if tell:
            with full_disk_explained(folder):
                write_json(folder / RESULT, {**result, "spec": id})
        return result


def _run(stage: Stage, spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    inputs = {name: Artifact(Path(p)) for name, p in spec["inputs"].items()}
    progress = partial(Progress, points=_fresh(folder / PROGRESS) if _rank() == 0 else None)
    context = StageContext(folder / "out", folder / "work", inputs, Path(spec["cache"]), progress=progress)
    start = time.monotonic()
    with full_disk_explained(folder):
        stage.run(context)
    context.tally.check()
    return {
        "counts": context.tally.as_dict(),
        "metrics": context.summary,
        "seconds": round(time.monotonic() - start, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "gpus": gpus(),
    }


def _fresh(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def peak_memory_mb() -> float:
    """The largest resident size this process and its ended children have had, in MiB (Linux reports KiB)."""
    usage = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usage) / (1024 if sys.platform != "darwin" else 1024**2)


def gpus() -> int:
    """How many GPUs this process and those beside it under torchrun have used; those of other processes, such as an
    engine's, are not seen."""
    torch = sys.modules.get("torch")
    used = torch is not None and torch.cuda.is_initialized()
    return int(os.environ.get("WORLD_SIZE", 1)) if used else 0


def _rank() -> int:
    """Under torchrun, which of its processes this is; the first one speaks for all."""
    return int(os.environ.get("RANK", 0))


def main(spec: Path) -> int:
    """Run the stage in this process; of several under torchrun, any may tell the problem, the first tells success."""
    stopping.listen(signal.SIGTERM)
    try:
        run_spec(spec, tell=True)
        return 0
    except stopping.Stopped:
        return stopping.EXIT_CODE
    except UserError as error:
        problem = {"problem": error.problem, "mend": error.mend}
    try:
        write_json(spec.parent / RESULT, problem)
    except OSError as error:
        if not is_full_disk(error):
            raise
        return FULL_DISK_CODE  # there is no room for any other word
    return 1


def main_of_several(spec: Path, processes: int, nodes: int, rendezvous: str | None) -> int:
    """Run `main` in so many processes on each of `nodes` machines; when one fails, the others are ended."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    where = ["--standalone"]
    if nodes > 1:
        id = json.loads(spec.read_text())["id"]
        where = [f"--nnodes={nodes}", "--rdzv-backend=c10d", f"--rdzv-endpoint={rendezvous}", f"--rdzv-id={id}"]
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // processes)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(stopping.SAVING_SECONDS))
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the ranks' own words are enough
    try:
        run.main([*where, f"--nproc-per-node={processes}", "-m", "src.worker", str(spec)])
    except SignalException:
        return stopping.EXIT_CODE
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 1
    return 0


if __name__ == "__main__":
    hide_secrets()
    parser = argparse.ArgumentParser(prog="python -m src.worker", description="Run one stage from its spec.")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--processes", type=int, default=1, help="how many run it together, one a device")
    parser.add_argument("--nodes", type=int, default=1, help="machines on which this is started, with one spec")
    parser.add_argument("--rendezvous", help="host:port of one of them, where they meet")
    parser.add_argument("--parent", type=int, help="the id of the process that this one ends with; its own by default")
    given = parser.parse_args()
    end_with_parent(given.parent)
    if given.processes * given.nodes == 1:
        sys.exit(main(given.spec))
    sys.exit(main_of_several(given.spec, given.processes, given.nodes, given.rendezvous))
