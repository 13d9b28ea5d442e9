"""The command line, checked before Hydra sees it: all wrong names at once, each with the right one.

Hydra stops at the first and suggests `+`, which would only move the error.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue, OmegaConfBaseException
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
    """Overrides of options that do not exist, choices that their group does not offer, files that are no YAML."""
    mistakes = Mistakes()
    try:
        overrides = OverridesParser.create().parse_overrides([w for w in words if not w.startswith("-")])
    except HydraException:  # not even an override: Hydra's own words point at the character
        return mistakes
    if words and not overrides:  # a flag alone
        return mistakes
    choices = [o for o in overrides if _is_group(o) and not o.is_delete()]
    wrong = [choice for choice in choices if not _is_hydras(choice) and _check_choice(choice, mistakes)]
    right = [_first_choice(choice) for choice in choices if choice not in wrong]
    config = _compose(right, config_name, mistakes)
    unknown = {choice.package or choice.key_or_group for choice in wrong}  # what such a group holds, nobody can say
    if config is None:
        return mistakes
    chosen = [str(override.value()) for override in overrides if override.key_or_group == "outputs"]
    if "outputs" in config:
        _check_writable(Path((chosen or [config.outputs])[-1]).absolute(), mistakes)
    for override in overrides:
        key = override.key_or_group
        top = key.split(".")[0]
        if override.is_delete() and key == top and key in config:
            mistakes.add(f"~{key}", "the method needs it; choose another option or value instead")
        elif not _is_group(override) and top not in unknown:
            added = override.is_add() or override.is_force_add()  # further down it is bound with the rest
            _check_key(top if added else key, config, mistakes)
    return mistakes


def _is_group(override: Override) -> bool:
    return _is_hydras(override) or (CONF / override.key_or_group).is_dir()


def _is_hydras(override: Override) -> bool:
    """Launchers and sweepers: most come with plugins, and Hydra knows which there are."""
    return bool(override.key_or_group.startswith("hydra/"))


def _values(override: Override) -> list[Any]:
    """The options that an override of a group names: one, a list, or the arms of a sweep."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return list(value.list)
    return value if isinstance(value, list) else [value]


def _check_choice(override: Override, mistakes: Mistakes) -> bool:
    """Note every value that the group does not offer; True when there was one."""
    known = [path.stem for path in (CONF / override.key_or_group).glob("*.yaml")]
    before = len(mistakes)
    for value in _values(override):
        name = value.text if isinstance(value, QuotedString) else "null" if value is None else str(value)
        if name not in known:
            mistakes.add(f"{override.get_key_element()}={name}", f"no such option{did_you_mean(name, known)}")
    return len(mistakes) > before


def _first_choice(override: Override) -> str:
    """The override itself, or a sweep's first arm: all arms are of one kind."""
    if override.is_choice_sweep():
        return f"{override.get_key_element()}={_values(override)[0]}"
    return str(override.input_line)


def _compose(overrides: list[str], config_name: str, mistakes: Mistakes) -> DictConfig | None:
    from hydra import compose, initialize_config_dir

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(config_name, overrides=overrides, return_hydra_config=True)
        with suppress(MissingMandatoryValue):
            _ = config.hydra.run.dir  # the first that Hydra resolves
    except YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"{mark.name}, line {mark.line + 1}" if mark else str(CONF)
        mistakes.add(place, f"this is not YAML: {problem or error}")
        return None
    except InterpolationKeyError as error:
        mistakes.add(str(error.full_key), f"refers to what is not there: {str(error.msg).splitlines()[0]}")
        return None
    except (HydraException, OmegaConfBaseException):  # Hydra will say it itself in a moment
        return None
    finally:
        GlobalHydra.instance().clear()
    return config if isinstance(config, DictConfig) else None


def _check_writable(folder: Path, mistakes: Mistakes) -> None:
    """Hydra would make the folder of a run, and fail with a traceback."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        mistakes.add("outputs", f"nothing can be written in '{there}'; choose another folder: outputs=...")


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
            if dotted == ".".join([*right, part]) and part in _fields_of(config):
                mistakes.add(dotted, f"stands at its default, in no file; a plus sets it: +{dotted}=...")
            else:
                mistakes.add(dotted, f"no such option{did_you_mean(part, {*keys, *_fields_of(config)})}")
            return
        right.append(part)
        config = None if OmegaConf.is_missing(config, part) else config[part]


def _fields_of(config: DictConfig) -> list[str]:
    """The options of the component that a node names, those that no file mentions included."""
    module, _, name = str(config.get("_target_", "")).rpartition(".")
    try:
        return [field.name for field in dataclasses.fields(getattr(importlib.import_module(module), name))]
    except (ImportError, AttributeError, TypeError, ValueError):  # told when the node is bound
        return []
