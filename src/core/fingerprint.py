"""A stage's key: the SHA-256 of everything that can change what it makes, and of nothing else.

    key = sha256(canonical_json({stage, version, options, inputs: {name: key}}))

The options are described from the built objects, not from YAML: so a default that is spelled out, `1` for `1.0`, or
another order of keys gives the same key, and a default that changes in the code gives another.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.core.errors import UserError

KEY_DIGITS = 20

MACHINE_FACTS = {
    "trainer": "where a training runs: device, strategy, rows per device; the global batch is in the recipe",
    "files": "where local rows lie; their content is in the reader's identity()",
    "benchmark_dir": "where local copies of benchmarks lie; their content is in identity()",
    "concurrency": "how many requests are in flight: completions are seeded one by one",
    "requests_per_minute": "pace, not content",
    "tokens_per_minute": "pace, not content",
    "timeout": "patience, not content",
    "max_retries": "patience, not content",
    "patience": "patience, not content",
    "budget": "a budget stops a stage, it does not change its rows",
    "account": "who pays does not change what is said",
    "price": "what a call costs does not change what it says",
    "prices": "what a call costs does not change what it says",
    "api_key_env": "the name of a variable that holds a secret",
    "max_num_seqs": "how many sequences the engine interleaves: each has its own seed",
    "gpu_memory_utilization": "room for the engine's cache",
    "kv_cache_gb": "room for the engine's cache",
    "enable_prefix_caching": "what is computed once, not what comes out",
    "enforce_eager": "whether kernels are compiled, not what they compute",
    "batch_size": "how many texts a fallback engine writes at a time: each has its own seed",
    "tensor_parallel_size": "how many cards hold the engine",
    "batch_rows": "how many rows are computed at once",
    "expected_tokens": "a guess at rows that are not there yet, for a plan",
    "shape": "how big a named model is, for a plan: its name says which it is",
    "workers": "how many processes share the work: rows do not depend on who did them",
    "batch": "whether calls go one by one or as a provider's batch",
    "pilot": "a pilot asks a few, prices the rest, and publishes nothing",
    "max_failed": "how much failing is put up with before the stage stops",
}


def describe(value: Any) -> Any:
    """Options as plain JSON values; a component becomes `{"_target_": its class, option: value, ...}`.

    `src.config.build.build` is the inverse.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
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


def digest_of(component: Any) -> str:
    """What tells a component from others that make something else; where it runs and what it costs do not count."""
    return _digest(_meaning(component, None))


def _meaning(value: Any, absent: list[UserError] | None) -> Any:
    """`describe`, less the machine's facts, plus what components say of the world outside (`identity`)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (f.name for f in dataclasses.fields(value) if f.init and f.name not in MACHINE_FACTS)
        meaning = {"_target_": type(value).__qualname__, **{n: _meaning(getattr(value, n), absent) for n in names}}
        if hasattr(value, "identity"):
            meaning["identity"] = _identity(value, absent)
        return meaning
    if isinstance(value, Mapping):
        return {str(k): _meaning(v, absent) for k, v in value.items() if k not in MACHINE_FACTS}
    if isinstance(value, (list, tuple)):
        return [_meaning(v, absent) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return describe(value)


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
