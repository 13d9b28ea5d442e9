"""Run one stage from its spec: `python -m src.worker spec.json`. What the launcher starts; useful alone to debug.

spec.json: {kind, stage: options with _target_, inputs: {name: folder}, folder, cache}. The stage fills `<folder>/out`;
`<folder>/result.json` says how it went: {counts, metrics, seconds, peak_memory_mb} or {problem, mend}.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from src.config.build import build
from src.core.errors import UserError
from src.core.stage import Artifact, Stage, StageContext
from src.core.store import FULL_DISK_CODE, full_disk_explained, is_full_disk, worker_lock, write_json


def run_spec(path: Path) -> dict[str, Any]:
    """Run the stage of a spec and return its measurements."""
    spec = json.loads(path.read_text())
    folder = Path(spec["folder"])
    stage = build(spec["stage"], spec["kind"])
    with worker_lock(folder) if _rank() == 0 else nullcontext():
        return _run(stage, spec, folder)


def _run(stage: Stage, spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    inputs = {name: Artifact(Path(p)) for name, p in spec["inputs"].items()}
    context = StageContext(folder / "out", folder / "work", inputs, Path(spec["cache"]))
    start = time.monotonic()
    with full_disk_explained(folder):
        stage.run(context)
    context.tally.check()
    return {
        "counts": context.tally.as_dict(),
        "metrics": context.summary,
        "seconds": round(time.monotonic() - start, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def peak_memory_mb() -> float:
    """The largest resident size this process and its ended children have had, in MiB (Linux reports KiB)."""
    usage = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usage) / (1024 if sys.platform != "darwin" else 1024**2)


def _rank() -> int:
    """Under torchrun, which of its processes this is; the first one speaks for all."""
    return int(os.environ.get("RANK", 0))


def _end_with_parent() -> None:
    """A worker whose launcher was killed must not go on writing: the same command may be running again.

    A fork's parent is the fork server, which lives as long as the forks do; its `parent_process` is the launcher."""
    parent, launcher = os.getppid(), multiprocessing.parent_process()

    def watch() -> None:
        while os.getppid() == parent and (launcher is None or launcher.is_alive()):
            time.sleep(0.3)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(spec: Path) -> int:
    _end_with_parent()
    try:
        result = run_spec(spec)
    except UserError as error:
        result = {"problem": error.problem, "mend": error.mend}
    try:
        if _rank() == 0:
            write_json(spec.parent / "result.json", result)
    except OSError as error:
        if not is_full_disk(error):
            raise
        return FULL_DISK_CODE  # there is no room for any other word
    return 1 if "problem" in result else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
