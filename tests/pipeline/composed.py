"""The shipped configuration, composed as a job would see it."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from src.config import schema
from src.config.mistakes import Mistakes
from src.config.overrides import CONF
from src.core.stage import Stage
from src.core.store import Store
from src.pipeline.expected import Expected
from src.pipeline.graph import Node, draw
from src.pipeline.job import plain_config
from src.pipeline.sweep import _as_hydra_config


def composed(*overrides: str, config: str = "config") -> dict[str, Any]:
    return deepcopy(_composed(overrides, config))


@cache  # many tests ask for the same few, and each takes a third of a second
def _composed(overrides: tuple[str, ...], config: str) -> dict[str, Any]:
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(config, list(overrides), return_hydra_config=True)
    with _as_hydra_config(cfg):
        return plain_config(cfg)


def nodes_of(config: dict[str, Any]) -> dict[str, Node]:
    mistakes = Mistakes()
    graph = draw(config, mistakes)
    mistakes.raise_if_any("Nothing was computed.")
    return graph.nodes


def planned(nodes: dict[str, Node], store: Path = Path("outputs/nothing")) -> dict[str, Stage]:
    """The stages by node, as a plan asks them: with guesses at what they will read."""
    expected = Expected(Store(store))
    return {name: expected.stage(node) for name, node in nodes.items()}
