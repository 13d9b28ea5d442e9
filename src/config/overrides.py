"""What a refused command line meant: the right name for each override that does not exist."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from src.config.build import did_you_mean

CONF = Path(__file__).parents[2] / "conf"


def explain(words: Sequence[str], config_name: str = "config") -> None:
    """Print a line for every override on the command line whose key does not exist."""
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    for line in unknown_keys(overrides, config_name):
        print(line, file=sys.stderr)


def unknown_keys(overrides: Sequence[str], config_name: str = "config") -> list[str]:
    """One line per override whose key is neither a group nor in the configuration that the others compose."""
    parsed = OverridesParser.create().parse_overrides([*overrides])
    groups = {o.get_key_element() for o in parsed if o.key_or_group is not None and _is_group(o.key_or_group)}
    choices = [o.input_line for o in parsed if o.get_key_element() in groups and o.input_line is not None]
    config = _compose(choices, config_name) or _compose([], config_name) or {}
    return [
        f"  -> {o.key_or_group}: no such option{_suggestion(o.key_or_group, config)}"
        for o in parsed
        if o.get_key_element() not in groups and not o.is_add() and not _exists(o.key_or_group, config)
    ]


def _is_group(name: str) -> bool:
    return (CONF / name.split("@")[0]).is_dir()


def _compose(overrides: list[str], config_name: str) -> dict[str, Any] | None:
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(config_name, overrides=overrides, return_hydra_config=True)
            plain = OmegaConf.to_container(config, resolve=False)
    except Exception:  # the command line was refused already; this is only about better words for it
        return None
    return dict(plain) if isinstance(plain, dict) else None  # type: ignore[arg-type]


def _exists(dotted: str, config: Any) -> bool:
    for part in dotted.split("."):
        if not isinstance(config, Mapping) or part not in config:
            return isinstance(config, str) and config.startswith("${")
        config = config[part]
    return True


def _suggestion(dotted: str, config: Any) -> str:
    """Walk down as far as the names are right, then suggest one for the first that is not."""
    right: list[str] = []
    for part in dotted.split("."):
        if not isinstance(config, Mapping):
            return f"; '{'.'.join(right)}' is a value"
        if part not in config:
            hint = did_you_mean(part, [str(key) for key in config])
            return hint.replace("mean '", f"mean '{'.'.join(right)}." if right else "mean '")
        right.append(part)
        config = config[part]
    return ""
