"""A stage's key: the SHA-256 of everything that can change what it makes, and of nothing else.

    key = sha256(canonical_json({stage, version, options, inputs: {name: key}}))

The options are described from the built objects, not from YAML: so a default that is spelled out, `1` for `1.0`, or
another order of keys gives the same key, and a default that changes in the code gives another.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from src.core.errors import UserError

KEY_DIGITS = 20

_REASON = "not in key"


def not_in_key(reason: str) -> dict[str, str]:
    """Metadata of a dataclass field that cannot change what a stage makes: `field(metadata=not_in_key(reason))`.

    It stands at the field itself: what lies inside a user's own mapping is always part of the key.
    """
    return {_REASON: reason}


def in_key(field: dataclasses.Field[Any]) -> bool:
    """Whether a field's value is part of the key."""
    return field.init and _REASON not in field.metadata


def left_out(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The options of a built stage that its key leaves out: (dotted path, reason)."""
    if is_component(value):
        for field in dataclasses.fields(value):
            where = f"{path}.{field.name}".lstrip(".")
            if _REASON in field.metadata:
                yield where, field.metadata[_REASON]
            elif field.init:
                yield from left_out(getattr(value, field.name), where)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from left_out(item, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from left_out(item, f"{path}.{number}")


def components(value: Any) -> Iterator[Any]:
    """A built component and all those inside it."""
    if is_component(value):
        yield value
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        value = value.values()
    for item in value if isinstance(value, Iterable) and not isinstance(value, str) else ():
        yield from components(item)


def pin(value: Any, absent: list[UserError]) -> Any:
    """The same component, with what names something that may move (a branch on the hub) at the commit where it is now:
    every component that has `pinned` is asked. What cannot be looked up is left as it is; its `UserError` is added to
    `absent`."""
    if is_component(value):
        changed = {}
        for field in dataclasses.fields(value):
            if field.init and (new := pin(old := getattr(value, field.name), absent)) is not old:
                changed[field.name] = new
        value = dataclasses.replace(value, **changed) if changed else value
        try:
            return value.pinned() if hasattr(value, "pinned") else value
        except UserError as error:
            absent.append(error)
            return value
    if isinstance(value, Mapping):
        items = {key: pin(item, absent) for key, item in value.items()}
        return items if any(items[key] is not value[key] for key in items) else value
    if isinstance(value, (list, tuple)):
        parts = [pin(item, absent) for item in value]
        return type(value)(parts) if any(a is not b for a, b in zip(parts, value, strict=True)) else value
    return value


def is_component(value: Any) -> bool:
    """A built dataclass, not the class itself."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def describe(value: Any) -> Any:
    """Options as plain JSON values; a component becomes `{"_target_": its class, option: value, ...}`.

    `src.config.build.build` is the inverse.
    """
    if is_component(value):
        options = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"_target_": f"{type(value).__module__}.{type(value).__qualname__}", **options}
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"an option must be a plain value or a dataclass, not {value!r}")


def stage_key(stage: Any, inputs: Mapping[str, str], absent: list[UserError] | None = None) -> str:
    """The key of a built stage whose inputs have the given keys.

    What is not at hand (a file, a package) raises its `UserError`; with a list in `absent` it is added there, and the
    key is good for planning only.
    """
    options = _meaning(stage, absent)
    return _digest({"stage": stage.kind, "version": stage.version, "options": options, "inputs": dict(inputs)})


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content. Raises UserError when it is missing."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check its name.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(component: Any) -> str:
    """What tells a component from others that make something else; where it runs and what it costs do not count."""
    return _digest(_meaning(component, None))


def _meaning(value: Any, absent: list[UserError] | None) -> Any:
    """`describe`, less what is `not_in_key`, plus what components say of the world outside (`identity`)."""
    if is_component(value):
        names = (f.name for f in dataclasses.fields(value) if in_key(f))
        meaning = {"_target_": _class_name(type(value)), **{n: _meaning(getattr(value, n), absent) for n in names}}
        if hasattr(value, "identity") and (identity := _identity(value, absent)):
            meaning["identity"] = identity
        return meaning
    if isinstance(value, Mapping):
        return {str(k): _meaning(v, absent) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_meaning(v, absent) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return describe(value)


def _class_name(kind: type) -> str:
    """Without the module for classes of this package, whose names are unique, so that a file may move."""
    return kind.__qualname__ if kind.__module__.split(".")[0] == "src" else f"{kind.__module__}.{kind.__qualname__}"


def _identity(component: Any, absent: list[UserError] | None) -> Any:
    try:
        return component.identity()
    except UserError as error:
        if absent is None:
            raise
        absent.append(error)
        return None


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
