"""The typed root of the configuration: what every run has, whatever its method, before any option file is read.

A method adds sections of its own. What stands inside a section is bound to the class that it feeds by
`src.config.build`; a section that nothing reads is a mistake (`src.pipeline.sections`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from src.config import remembered, resolvers


@dataclass
class Root:
    """What `conf/config.yaml` holds."""

    study: str = MISSING
    question: str | None = None
    primary: list[str] | None = None
    name: str = MISSING
    method: str = MISSING
    seed: int = MISSING
    data_seed: int = MISSING
    plan: bool = False
    verbose: bool = False
    outputs: str = MISSING
    programs: str = MISSING
    benchmark_dir: str | None = None

    # groups: one option file each
    corpus: dict[str, Any] = field(default_factory=dict)
    prompt_set: dict[str, Any] = field(default_factory=dict)
    teacher: dict[str, Any] = field(default_factory=dict)
    synthesis: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    synthesizer: dict[str, Any] = field(default_factory=dict)
    selector: dict[str, Any] = field(default_factory=dict)
    embedder: dict[str, Any] = field(default_factory=dict)
    clean: dict[str, Any] = field(default_factory=dict)
    sft: dict[str, Any] | None = None
    pretrain: dict[str, Any] = field(default_factory=dict)
    benchmark: dict[str, Any] = field(default_factory=dict)
    decoding: dict[str, Any] = field(default_factory=dict)
    reward: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    compute: dict[str, Any] = field(default_factory=dict)
    tracker: dict[str, Any] = field(default_factory=dict)

    # how much: one section a stage
    problems: dict[str, Any] = field(default_factory=dict)
    passages: dict[str, Any] = field(default_factory=dict)
    prompts: dict[str, Any] = field(default_factory=dict)
    distil: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Any] = field(default_factory=dict)
    evaluate: dict[str, Any] = field(default_factory=dict)


def register() -> None:
    """Make `- schema` and the resolvers available to a primary config. The schema is open: a method adds keys to it."""
    resolvers.register()
    remembered.remember()
    ConfigStore.instance().store(name="schema", node=OmegaConf.structured(Root, flags={"struct": False}))
