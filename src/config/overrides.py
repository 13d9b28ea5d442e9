"""The command line, checked before Hydra sees it: all wrong names at once, each with the right one.

Hydra stops at the first and suggests `+`, which would only move the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from src.config.mistakes import Mistakes, did_you_mean
from src.core.errors import UserError

CONF = Path(__file__).parents[2] / "conf"


def checked_main(run: Callable[[], Any], words: Sequence[str], config_name: str) -> None:
    """Run a Hydra entry point, after naming every override that means nothing."""
    mistakes = wrong_overrides(words, config_name)
    try:
        mistakes.raise_if_any("Nothing was computed. `--help` lists the groups, `--cfg job` the options.")
    except UserError as error:
        raise SystemExit(f"{error}") from None
    run()


@contextmanager
def told_plainly() -> Iterator[None]:
    """Around the body of a Hydra entry point: a `UserError` ends a single job with its text alone. In a sweep Hydra
    must see it, so that the other jobs go on."""
    try:
        yield
    except UserError as error:
        if HydraConfig.get().mode != RunMode.RUN:
            raise
        raise SystemExit(str(error)) from None


def wrong_overrides(words: Sequence[str], config_name: str) -> Mistakes:
    """Overrides of options that do not exist, and choices that their group does not offer."""
    mistakes = Mistakes()
    try:
        overrides = OverridesParser.create().parse_overrides([w for w in words if not w.startswith("-")])
    except HydraException:  # not even an override: Hydra's own words point at the character
        return mistakes
    if not overrides:
        return mistakes
    choices = [o for o in overrides if _is_group(o)]
    for choice in choices:
        _check_choice(choice, mistakes)
    config = None if mistakes else _compose([_first_choice(o) for o in choices], config_name)
    for override in overrides if config is not None else ():
        if not (_is_group(override) or override.is_add() or override.is_force_add()):
            _check_key(override.key_or_group, config, mistakes)
    return mistakes


def _is_group(override: Override) -> bool:
    return (CONF / override.key_or_group).is_dir()


def _values(override: Override) -> list[Any]:
    """The options that an override of a group names: one, a list, or the arms of a sweep."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return list(value.list)
    return value if isinstance(value, list) else [value]


def _check_choice(override: Override, mistakes: Mistakes) -> None:
    known = [path.stem for path in (CONF / override.key_or_group).glob("*.yaml")]
    for value in _values(override):
        if isinstance(value, str) and value not in known:
            mistakes.add(f"{override.get_key_element()}={value}", f"no such option{did_you_mean(value, known)}")


def _first_choice(override: Override) -> str:
    """The override itself, or a sweep's first arm: all arms are of one kind."""
    if override.is_choice_sweep():
        return f"{override.get_key_element()}={_values(override)[0]}"
    return str(override.input_line)


def _compose(overrides: list[str], config_name: str) -> Mapping[str, Any] | None:
    from hydra import compose, initialize_config_dir

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(config_name, overrides=overrides, return_hydra_config=True)
    except HydraException:  # Hydra will say it itself in a moment
        return None
    except YAMLError as error:
        raise SystemExit(f"An option file is not YAML: {error}\n  -> Mend that line.") from None
    finally:
        GlobalHydra.instance().clear()
    return config if isinstance(config, DictConfig) else None


def _check_key(dotted: str, config: Any, mistakes: Mistakes) -> None:
    """Walk down as far as the names are right; suggest one for the first that is not."""
    right: list[str] = []
    for part in dotted.split("."):
        if not isinstance(config, DictConfig):
            if not OmegaConf.is_list(config):
                mistakes.add(dotted, f"'{'.'.join(right)}' is a value and has no options")
            return
        keys = [str(key) for key in config]  # `in config` would miss a key whose value is still open (???)
        if part not in keys:
            mistakes.add(dotted, f"no such option{did_you_mean(part, keys)}")
            return
        right.append(part)
        config = None if OmegaConf.is_missing(config, part) else config[part]
