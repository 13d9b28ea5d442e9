"""The shipped configuration, composed as a job would see it."""

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config import resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CONF
from src.pipeline.graph import Node, draw


def composed(*overrides: str, config: str = "config") -> dict[str, Any]:
    schema.register()
    resolvers.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose(config, overrides=list(overrides)), resolve=True)


def nodes_of(config: dict[str, Any]) -> dict[str, Node]:
    mistakes = Mistakes()
    graph = draw(config, mistakes)
    mistakes.raise_if_any("Nothing was computed.")
    return graph.nodes
