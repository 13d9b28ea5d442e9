"""The graph of a run: stages as nodes, each with the nodes that feed it. A method (`src/methods`) draws it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from typing import Any, TypeVar

from src.config.build import bind_class
from src.config.mistakes import BROKEN, Mistakes
from src.core.errors import UserError
from src.core.fingerprint import pin, stage_key
from src.core.stage import Stage

S = TypeVar("S", bound=Stage)


@dataclass(frozen=True)
class Node:
    """A stage in its place: its name in the method, its options, and the nodes that feed it, by input name."""

    name: str
    stage: Stage
    inputs: dict[str, Node] = field(default_factory=dict)
    key: str = field(init=False)
    absent: list[UserError] = field(init=False, default_factory=list)  # files and packages that are not at hand

    def __post_init__(self) -> None:
        object.__setattr__(self, "stage", pin(self.stage, self.absent))
        inputs = {name: node.key for name, node in self.inputs.items()}
        broken = self.stage is BROKEN or "" in inputs.values()
        object.__setattr__(self, "key", "" if broken else stage_key(self.stage, inputs, self.absent))


class Graph:
    """Builds the nodes of a method from the sections of a configuration, and collects the mistakes of all of them.

    nodes: by name, in the order in which they were added, which is the order of their work.
    """

    def __init__(self, config: Mapping[str, Any], mistakes: Mistakes):
        self.config, self.mistakes = config, mistakes
        self.nodes: dict[str, Node] = {}
        self.sections: set[str] = set()  # top-level keys that were read
        self.feeds: dict[str, list[type]] = {}  # by section, the stages that its options go to

    def option(self, name: str, choices: Iterable[Any]) -> Any:
        """An option of the method itself. A value that is not among the choices is a mistake."""
        self.sections.add(name)
        value, choices = self.config[name], list(choices)
        if value not in choices:
            self.mistakes.add(name, f"must be one of {', '.join(map(str, choices))}, not {value}")
        return value

    def wants(self, section: str) -> bool:
        """Whether an optional section is there: null turns it off."""
        self.sections.add(section)
        return self.config[section] is not None

    def stage(self, kind: type[S], *sections: str, **mounts: str) -> S:
        """A stage whose options are the given sections merged, the later before the earlier, with the values at the
        dotted paths `mounts` in the fields of those names.

        With mistakes in them it is BROKEN; each stands on the list under the path that the user typed.
        """
        options: dict[str, Any] = {}
        homes: dict[str, str] = {}
        for section in sections:
            self.sections.add(section)
            self.feeds.setdefault(section, []).append(kind)
            options.update(self.config[section] or {})
            homes.update({name: self._home(section, name) for name in self.config[section] or {}})
        for name, path in mounts.items():
            self.sections.add(path.split(".")[0])
            if name in options:
                self._note(f"{homes[name]}: this is set elsewhere; write {path} instead")
            options[name], homes[name] = reduce(getitem, path.split("."), self.config), path
        found = Mistakes()
        built: S = bind_class(kind, options, sections[0], found)
        for mistake in found:
            self._note(_at_home(mistake, sections[0], homes))
        return built

    def _note(self, line: str) -> None:
        if line not in self.mistakes:
            self.mistakes.append(line)

    def _home(self, section: str, name: str) -> str:
        """Where an option is typed: a component that the section refers to has a section of its own."""
        value = self.config[section][name]
        if isinstance(value, Mapping) and "_target_" in value:
            return next((key for key, node in self.config.items() if node == value), f"{section}.{name}")
        return f"{section}.{name}"

    def add(self, name: str, stage: Stage, **inputs: Node | None) -> Node:
        """Add a node, fed by those inputs that are there. A stage that another node runs already, with the same
        options on the same inputs, is that node."""
        node = Node(name, stage, {name: source for name, source in inputs.items() if source is not None})
        for other in self.nodes.values():
            if node.key and other.key == node.key:
                return other
        assert name not in self.nodes, f"two nodes are called {name}"
        self.nodes[name] = node
        return node


def draw(config: Mapping[str, Any], mistakes: Mistakes) -> Graph:
    """What the method that the configuration names makes of it. The mistakes of all its stages are added to those that
    were found before; while there are any, the nodes have no keys."""
    module, _, function = str(config["method"]).rpartition(".")
    graph = Graph(config, mistakes)
    getattr(importlib.import_module(module), function)(graph)
    return graph


def _at_home(mistake: str, section: str, homes: Mapping[str, str]) -> str:
    """Replace the stage's own path of an option by where it stands in the config."""
    for name, home in homes.items():
        inner = f"{section}.{name}"
        if mistake.startswith(inner) and mistake[len(inner)] in ".[:":
            return home + mistake[len(inner) :].replace(f"{inner}.", f"{home}.")
        if mistake.startswith(f"{section}: {name} "):  # refused by the stage as a whole, which says which option
            return home + mistake[len(section) :]
    return mistake
