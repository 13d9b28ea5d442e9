"""How many jobs a sweep was to have: what a sweep that was stopped never began left no trace of its own."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from yaml import YAMLError


def jobs_not_started(folder: Path, began: int) -> str | None:
    """A remark on the jobs of the study's last sweep beyond those that `began`. None where there are none, or where the
    sweeper chooses its jobs as it goes. A sweep that is still running has not begun its last jobs either."""
    planned = _planned(folder / "multirun.yaml")
    if planned is None or planned <= began:
        return None
    return f"{planned - began} of the last sweep's {planned} jobs have not begun; its command, typed again, runs them."


def _planned(path: Path) -> int | None:
    """The product of what Hydra's own sweeper was given to choose from, the command line before the experiment."""
    try:
        record: Any = OmegaConf.to_container(OmegaConf.load(path))
        hydra = record["hydra"]
        sweeper, typed = hydra["sweeper"], list(hydra["overrides"]["task"])
        if not sweeper["_target_"].endswith("BasicSweeper"):
            return None
        given = [f"{name}={value}" for name, value in (sweeper.get("params") or {}).items()]
        parsed = OverridesParser.create().parse_overrides([*given, *typed])
        return prod({override.key_or_group: _values(override) for override in parsed}.values())
    except (OSError, YAMLError, HydraException, KeyError, TypeError, AttributeError):
        return None


def _values(override: Any) -> int:
    return len(list(override.sweep_iterator())) if override.is_sweep_override() else 1
