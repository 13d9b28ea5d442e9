"""Which of a configuration's sections a method reads: what it does not read must not be set in silence."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import yaml

from src.config.mistakes import Mistakes, did_you_mean
from src.config.schema import Root

SHARED = {field.name for field in dataclasses.fields(Root)}
LABELS = {"study", "name", "question"}  # a run that is named after an option does not use it by that
OF_THE_DECODING = re.compile(r"\+*evaluate\.(samples|temperature)=(.*)")  # an evaluation's own holds where it has none
REFERENCE = re.compile(r"\$\{(?:oc\.select:)?(\w+)")


def check_sections(
    method: str,
    config: Mapping[str, Any],
    read: Collection[str],
    overrides: Sequence[str],
    mistakes: Mistakes,
    kind: Literal["method", "stage"] = "method",
) -> None:
    """Note sections that no run has and this method does not read, and overrides without any effect.

    config: unresolved, so that `${section.option}` counts as reading that section; read: what the method and the run
    itself read; overrides: as typed, or as the sweep gives them; kind: what the user calls it.
    """
    used = _with_references(config, read)
    for name in sorted(config.keys() - SHARED - used):
        mistakes.add(name, f"the {kind} {method} has no such option{did_you_mean(name, SHARED | used)}")
    for name in sorted({_section(override) for override in overrides} & SHARED - used):
        mistakes.add(name, f"the {kind} {method} does not use it{_other_place(name, config, used, kind)}")
    for name, value in (typed.groups() for typed in map(OF_THE_DECODING.fullmatch, overrides) if typed):
        own = config["decoding"].get(name)
        if own is not None and not _is_reference(own) and yaml.safe_load(value) != own:
            mistakes.add(f"evaluate.{name}={value}", f"the decoding has its own, {own}; write decoding.{name}={value}")


def _other_place(name: str, config: Mapping[str, Any], used: Collection[str], kind: str) -> str:
    """Where stages that are read bring an option of that group themselves, how it is set there."""
    own = [part for part in sorted(used) if isinstance(config.get(part), Mapping) and name in config[part]]
    places = [f"{name}@{part}.{name}=..." for part in own if isinstance(config[part][name], Mapping)]
    if places:
        return f" here, for what reads one brings its own; write {' or '.join(places)}"
    return f"; take it away, or choose another {kind}"


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _section(override: str) -> str:
    """`generator@teacher=openai` sets teacher, `recipe@pretrain.recipe=tiny` and `pretrain.seed=1` pretrain."""
    name = override.lstrip("+~").partition("=")[0].rpartition("@")[2]
    return name.partition(".")[0]


def _with_references(config: Mapping[str, Any], read: Collection[str]) -> set[str]:
    found, new = set(read) & LABELS, set(read) - LABELS
    while new:
        found |= new
        new = {name for section in new for name in _references(config.get(section))} - found
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
