"""From config nodes to objects, with every mistake reported at once.

A node with `_target_` becomes the dataclass that it names. Each option is bound to the field that it feeds: an
unknown name, a missing option, a value of the wrong type and a value that the class refuses are all collected, with
the path of the option and the nearest right name, before anything is computed.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from src.config.mistakes import BROKEN, Mistakes, did_you_mean
from src.core.errors import HERE, UserError


def build(node: Mapping[str, Any], path: str = "config") -> Any:
    """Build one node or raise a `UserError` that lists all its mistakes."""
    mistakes = Mistakes()
    built = bind(node, path, mistakes)
    mistakes.raise_if_any("Nothing was computed.")
    return built


def bind(node: Mapping[str, Any], path: str, mistakes: Mistakes) -> Any:
    """Build the component that `node["_target_"]` names; on a mistake, note it and return BROKEN."""
    target = _locate(str(node["_target_"]), f"{path}._target_", mistakes)
    if target is BROKEN:
        return BROKEN
    return bind_class(target, {k: v for k, v in node.items() if k != "_target_"}, path, mistakes)


def bind_class(target: type, options: Mapping[str, Any], path: str, mistakes: Mistakes) -> Any:
    """Build `target`, a dataclass, from options."""
    before = len(mistakes)
    hints = _hints(target)
    fields = {f.name: f for f in dataclasses.fields(target) if f.init}
    for name in options.keys() - fields.keys():
        mistakes.add(f"{path}.{name}", f"no such option of {target.__name__}{did_you_mean(name, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if options.get(name, "???" if required else None) == "???":
            mistakes.add(f"{path}.{name}", "has no value; give one")
    values = {
        name: convert(options[name], hints[name], f"{path}.{name}", mistakes)
        for name in fields
        if name in options and options[name] != "???"
    }
    if inspect.isabstract(target):
        return mistakes.add(path, f"needs a `_target_` that names the kind of {target.__name__}")
    if len(mistakes) > before:
        return BROKEN
    try:
        return target(**values)
    except (ValueError, UserError) as error:
        return mistakes.add(path, str(error).replace(HERE, path))


def convert(value: Any, annotation: Any, path: str, mistakes: Mistakes) -> Any:
    """Turn a config value into what the annotation asks for."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        options = [a for a in args if a is not type(None)]
        if len(options) == 1:
            return convert(value, options[0], path, mistakes)
    if isinstance(value, Mapping):
        if "_target_" in value:
            built = bind(value, path, mistakes)
            if built is not BROKEN and isinstance(annotation, type) and not _fits(built, annotation):
                return mistakes.add(
                    path, f"needs one of kind {annotation.__name__}, which {type(built).__name__} is not"
                )
            return built
        if dataclasses.is_dataclass(annotation):
            return bind_class(typing.cast(type, annotation), value, path, mistakes)
        if origin in (dict, Mapping, types.MappingProxyType) or annotation in (dict, Any):
            item = args[1] if args else Any
            return {k: convert(v, item, f"{path}.{k}", mistakes) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and origin in (list, tuple) and args:
        return origin(convert(v, args[0], f"{path}[{i}]", mistakes) for i, v in enumerate(value))
    return _validate(value, annotation, path, mistakes)


def _validate(value: Any, annotation: Any, path: str, mistakes: Mistakes) -> Any:
    try:
        found = _adapter(annotation).validate_python(value)
    except ValidationError as error:
        wanted = "; ".join(dict.fromkeys(e["msg"] for e in error.errors()))
        return mistakes.add(path, f"{value!r} does not fit: {wanted[0].lower()}{wanted[1:]}")
    if isinstance(found, float) and not math.isfinite(found):  # JSON, and so a key, has no such number
        return mistakes.add(
            path, f"must be a finite number, not {found}; null takes a limit away, where there may be none"
        )
    return found


# Both are kept: a graph binds hundreds of options of a few types, which takes half as long so.
@cache
def _hints(target: type) -> dict[str, Any]:
    return typing.get_type_hints(target)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # the annotation is a dataclass: it takes no config, and wants a mapping or an instance
        return TypeAdapter(annotation)


def _fits(built: Any, annotation: type) -> bool:
    try:
        return isinstance(built, annotation)
    except TypeError:  # a protocol that cannot be checked at run time
        return True


def _locate(dotted: str, path: str, mistakes: Mistakes) -> Any:
    module_name, _, class_name = dotted.rpartition(".")
    if not all(part.isidentifier() for part in dotted.split(".")) or not module_name:
        return mistakes.add(path, f"'{dotted}' is not of the form package.module.Class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        return mistakes.add(path, f"cannot import '{module_name}': no module named '{error.name}'")
    target = getattr(module, class_name, None)
    if target is None or not dataclasses.is_dataclass(target):
        classes = [n for n, c in vars(module).items() if dataclasses.is_dataclass(c) and c.__module__ == module_name]
        return mistakes.add(path, f"'{module_name}' has no component '{class_name}'{did_you_mean(class_name, classes)}")
    return target
