"""What an option is: `--help NAME` lists a group's choices and every field of what is chosen, from the code itself.

A field that no file mentions is listed too; its meaning is what the docstring of its class says after the field's name.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from src.config.mistakes import did_you_mean
from src.config.overrides import CONF
from src.core.errors import UserError

WIDTH = 118
Feeds = Mapping[str, Sequence[type]]  # the stages that a section's options go to


def explain(
    name: str,
    config: Mapping[str, Any],
    feeds: Feeds,
    chosen_from: Mapping[str, str] | None = None,
    config_name: str = "config",
) -> Iterator[str]:
    """Lines about a group ("corpus", "generator@teacher"), a section ("distil") or an option ("trainer.threads").

    config: composed; a component is described as it is chosen there. chosen_from: the group that fills a section.
    config_name: the file whose comments say what a single option is; else those of the method's do. Raises UserError
    for a name that nothing has, and for an option's without its group.
    """
    group, _, place = name.partition("@")
    path = (place or group).split(".")
    choices = sorted((CONF / group).glob("*.yaml")) if (CONF / group).is_dir() else []
    if choices:
        yield f"{name}=..."
        for choice in choices:
            yield from _columns([f"  {choice.stem}"], comment_of(choice), indent=24)
    described = False
    for kind in _types_at(path, config, feeds):
        described = True
        yield ""
        yield from _component(kind, ".".join(path), _value_at(path, config))
    if not described and (kinds := _types_at(path[:-1], config, feeds)):
        described = True
        known = {field.name for kind in kinds for field in _fields(kind)}
        if path[-1] not in known:
            group = (chosen_from or {}).get(path[0], path[0]) if len(path) == 2 else ""
            others = [option for option in _options_with(group.partition("@")[0], path[-1]) if group]
            where = f"{group}={others[0]}" if others else ""
            raise UserError(
                f"{name}: no such option of {kinds[0].__name__}{did_you_mean(path[-1], known)}",
                f"{', '.join(others)} have it: --help {where} {'.'.join(path)}" if others else "",
            )
        for kind in (kind for kind in kinds if path[-1] in {field.name for field in _fields(kind)}):
            yield from _component(kind, ".".join(path[:-1]), _value_at(path[:-1], config), only=path[-1])
    if not (described or choices):
        if path[0] not in config:
            groups = [folder.name for folder in CONF.iterdir() if folder.is_dir()]
            if homes := sorted(file.parent.name for file in CONF.glob("*/*.yaml") if file.stem == name):
                ways = " or ".join(f"--help {_typed(home, chosen_from or {})}={name}" for home in homes)
                raise UserError(f"{name} is an option of {' and of '.join(homes)}.", f"It is described by {ways}.")
            if places := [place for place in _places(config, feeds) if place.rpartition(".")[2] == name]:
                raise UserError(f"{name} is told with its section.", f"Type --help {' or --help '.join(places)}")
            if owners := _choices_with(path[0]):
                ways = "\n".join(f"  {group}: {', '.join(names)}" for group, names in owners.items())
                way = _typed(next(iter(owners)), chosen_from or {})
                place = next((p for p, mount in (chosen_from or {}).items() if mount == way), way)
                raise UserError(
                    f"{path[0]} is no option of what is chosen, but of these:\n{ways}",
                    f"It is described by --help {way}={next(iter(owners.values()))[0]} {place}.{name}",
                )
            raise UserError(f"{name}: no such group or option{did_you_mean(path[0], {*map(str, config), *groups})}")
        line = f"{name} = {_word(_value_at(path, config))}"
        method = str(config.get("method", "")).rpartition(".")[2]
        files = [CONF / f"{config_name}.yaml", CONF / "method" / f"{method}.yaml"]
        yield from _columns([line], next(filter(None, (_beside(path, file) for file in files)), ""), indent=6)


def comment_of(file: Path) -> str:
    """What an option file opens with: its first paragraph of comments."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "@package" not in line]
    return " ".join(line[2:].strip() for line in takewhile(lambda line: line.startswith("# "), lines))


def _typed(group: str, chosen_from: Mapping[str, str]) -> str:
    """A group as it is chosen: one that fills several places by the name of the first that is composed."""
    mounts = [mount for mount in chosen_from.values() if mount.partition("@")[0] == group]
    return mounts[0] if mounts and group not in mounts else group


def _places(config: Mapping[str, Any], feeds: Feeds) -> list[str]:
    """The options of all sections, and of what is chosen there, by the name that `--help` takes: "distil.pilot"."""
    paths = [[section] for section in config] + [
        [section, name] for section, node in config.items() if isinstance(node, Mapping) for name in node
    ]
    found = (
        ".".join([*path, field.name])
        for path in paths
        for kind in _types_at(path, config, feeds)
        for field in _fields(kind)
    )
    return sorted(dict.fromkeys(found))


def lines_of_single_options(config_name: str) -> Iterator[str]:
    """The options of a root file that stand in one line, as they are typed, each with the comment behind it."""
    for option, value, about in _single_options(CONF / f"{config_name}.yaml"):
        yield from _columns([f"  {option}={value}"], about, indent=24)


def _beside(path: Sequence[str], file: Path) -> str:
    """The comment behind a single option in a file; "" where the file has none, or is not there."""
    found = {option: about for option, _, about in _single_options(file)}
    return found.get(path[0], "") if len(path) == 1 else ""


def _single_options(file: Path) -> list[tuple[str, str, str]]:
    """Option, value and comment of each line that has all three; none where the file is not there."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return re.findall(r"^(\w+): (.*?)\s+# (.*)$", text, re.MULTILINE)


def _choices_with(field: str) -> dict[str, list[str]]:
    """The choices of all groups whose class has that field, by group."""
    folders = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir())
    return {group: found for group in folders if (found := _options_with(group, field))}


def _options_with(group: str, field: str) -> list[str]:
    """The choices of a group whose class has that field."""
    files = sorted((CONF / group).glob("*.yaml")) if group else []
    return [file.stem for file in files if (kind := _class_of(file)) and field in {f.name for f in _fields(kind)}]


def _class_of(file: Path) -> type | None:
    """The class that an option file names, itself or by the file that it builds on."""
    node: Any = OmegaConf.load(file) if file.is_file() else {}
    if target := node.get("_target_"):
        return _located(str(target))
    first = next(iter(node.get("defaults") or ()), None)
    if not isinstance(first, str) or first == "_self_":
        return None
    return _class_of(file.parent / f"{first.partition('@')[0]}.yaml")


def _located(target: str) -> type | None:
    module, _, name = target.rpartition(".")
    found: Any = getattr(importlib.import_module(module), name)
    return found if isinstance(found, type) and dataclasses.is_dataclass(found) else None


def meanings(kind: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each field: the text after `field: ` or `one, other: `."""
    names = "|".join(re.escape(field.name) for field in _fields(kind))
    pattern = re.compile(rf"(?:(?<=^)|(?<=\n)|(?<=[.;] ))(`?(?:{names})`?(?:, `?(?:{names})`?)*): ")
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "") if dataclasses.is_dataclass(base) else ""
        for paragraph in re.split(r"\n\s*\n", text) if names else ():
            marks = list(pattern.finditer(paragraph))
            for mark, following in zip(marks, [*marks[1:], None]):
                end = following.start() if following else len(paragraph)
                meaning = " ".join(paragraph[mark.end() : end].split())
                found |= {name.strip("`"): meaning.rstrip(";") for name in mark[1].split(", ")}
    return found


def _component(kind: type, path: str, value: Any, only: str | None = None) -> Iterator[str]:
    about, hints = meanings(kind), typing.get_type_hints(kind)
    chosen = value if isinstance(value, Mapping) else {}
    summary = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]
    first = summary if not about or ": " not in summary else summary.split(". ")[0].rstrip(".") + "."
    yield f"{path}  ({kind.__module__}.{kind.__name__})"
    if not only:
        yield from textwrap.wrap(" ".join(first.split()), WIDTH, initial_indent="  ", subsequent_indent="  ")
    for field in _fields(kind):
        if only in (None, field.name):
            now = chosen.get(field.name, _default(field))
            here = "" if now == _default(field) or isinstance(now, Mapping | list) else f"(chosen: {_word(now)})"
            default = "required" if _default(field) is dataclasses.MISSING else f"= {_word(_default(field))}"
            head = [f"  {path}.{field.name}", _type(hints[field.name]), default, here]
            yield from _columns([part for part in head if part], about.get(field.name, ""), indent=6)


def _columns(head: list[str], text: str, indent: int) -> Iterator[str]:
    """The head, and the text beside it where that fits, else below."""
    line = "  ".join(head)
    if indent > 6:
        line = line.ljust(indent) if len(line) < indent - 1 else f"{line}  "
        yield from textwrap.wrap(text, WIDTH, initial_indent=line, subsequent_indent=" " * indent) or [line.rstrip()]
    else:
        yield line
        yield from textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)


def _fields(kind: type) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.init]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _word(value: Any) -> str:
    """As it is typed in an option file."""
    if dataclasses.is_dataclass(value):
        return f"{type(value).__name__}()"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and (not value.isprintable() or value != value.strip()):
        return json.dumps(value, ensure_ascii=False)
    return "null" if value is None else f"[{', '.join(map(_word, value))}]" if isinstance(value, tuple) else str(value)


def _type(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(map(str, typing.get_args(annotation)))
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return "|".join(_type(part) for part in typing.get_args(annotation))
    if annotation is type(None):
        return "null"
    if inner := typing.get_args(annotation):
        parts = ", ".join("..." if part is Ellipsis else _type(part) for part in inner)
        return f"{getattr(typing.get_origin(annotation), '__name__', annotation)}[{parts}]"
    return str(getattr(annotation, "__name__", annotation))


def _types_at(path: Sequence[str], config: Mapping[str, Any], feeds: Feeds) -> list[type]:
    """The dataclasses that a node is bound to: by its `_target_`, by its section, or by the type of the field."""
    found: list[Any] = []
    node: Any = config
    for depth, part in enumerate(path):
        inner = [a for kind in found for a in _inner(kind, part)]
        found = list(feeds.get(part, ())) if depth == 0 else inner
        node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and "_target_" in node:
            module, _, name = str(node["_target_"]).rpartition(".")
            found = [getattr(importlib.import_module(module), name)]
    return [kind for kind in dict.fromkeys(found) if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


def _inner(annotation: Any, part: str) -> Iterator[Any]:
    """The types of an option inside what has this type: a field's, or that of a mapping's values."""
    if dataclasses.is_dataclass(annotation):
        if part in (hints := typing.get_type_hints(annotation)):
            yield from _parts(hints[part])
    elif typing.get_origin(annotation) in (dict, Mapping) or part.isdigit():
        yield from (kind for argument in typing.get_args(annotation) for kind in _parts(argument))


def _parts(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return typing.get_args(annotation)
    return (annotation,)


def _value_at(path: Sequence[str], config: Mapping[str, Any]) -> Any:
    node: Any = config
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node
