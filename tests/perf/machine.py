"""Where and on what a figure was measured: without it a figure is worth little."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from src.core.command import command_line
from src.pipeline.runner import git_state, installed_packages


def circumstances() -> dict[str, Any]:
    """Machine, versions, commit and time."""
    import torch

    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "git": git_state(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "driver": _driver(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": installed_packages(),
    }


def _processor() -> str:
    """The model's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _driver() -> str | None:
    """The NVIDIA driver's version, of the first card; None where nothing tells it."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    asked = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.stdout.split("\n")[0].strip() or None if said.returncode == 0 else None


def flat(where: dict[str, Any]) -> dict[str, str]:
    """The same as lines of text, nested facts in one line each."""
    return {name: _words(value) for name, value in where.items() if value is not None}


def _words(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
