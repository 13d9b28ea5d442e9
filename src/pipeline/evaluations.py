"""Evaluations outside a run: each is an artifact of the store, and a name in `outputs/evaluations` leads to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.config.build import bind_class, build
from src.config.mistakes import Mistakes
from src.core.command import option_name
from src.core.errors import UserError
from src.core.stage import Artifact
from src.core.store import Store
from src.core.tracking import NoTracker
from src.generation.openai import OpenAIGenerator
from src.modeling.sources import ModelSource
from src.pipeline.graph import Node
from src.pipeline.launch import Compute, Local
from src.pipeline.runner import Runner
from src.stages.evaluate import Evaluate, Regrade

STAGE_OPTIONS = (
    *("samples", "temperature", "top_p", "top_k", "min_p", "max_tokens", "prompting", "shots", "exemplars"),
    *("system", "template", "turns", "programs", "data_seed", "decoding"),
)
REGRADED = ("benchmarks", "prompting", "checker", "decoding", "samples", "temperature")  # options that grading asks
OF_THE_DECODING = ("samples", "temperature")  # which one may have itself
FOR_ALL_BENCHMARKS = ("every", "limit")
TARGET = "._target_"
KEY_DIGITS = 8  # of an evaluation's name


def model_label(config: Mapping[str, Any]) -> str:
    """What files call the model: the last part of its folder or name. Raises UserError where none is named."""
    options = config["engine"] if "base_url" in config["engine"] else config["model"]
    name = options.get("name") or options.get("model") or options["_target_"].rpartition(".")[2].lower()
    if name == "???":
        raise UserError(
            "No model is named.",
            "Add model=FOLDER, a Hugging Face folder or a name on the hub; or generator@engine=vllm_server "
            "engine.model=NAME engine.base_url=URL for one behind a server.",
        )
    return Path(str(name)).name


def evaluation_node(config: Mapping[str, Any]) -> Node:
    """The pipeline's own stage, from the plain options of `conf/evaluate.yaml`.

    Raises UserError for options that make no sense, and for what is not at hand: a model, a file, a package, a key.
    """
    label = model_label(config)
    options = _with_decoding({name: config[name] for name in STAGE_OPTIONS})
    for_all = {name: config[name] for name in FOR_ALL_BENCHMARKS if config[name] is not None}
    options["benchmarks"] = {name: {**node, **for_all} for name, node in config["benchmark"].items()}
    options["checker"] = config.get("checker")  # a group of which nothing is chosen leaves no key
    engine = dict(config["engine"])
    if "base_url" in engine:
        engine["system"] = options.pop("system") or engine.get("system")
        options["model"] = None
    else:
        options["model"] = config["model"]
    mistakes = Mistakes()
    stage: Evaluate = bind_class(Evaluate, {"engine": engine, "label": label, **options}, "evaluate", mistakes)
    mistakes[:] = [_as_typed(line) for line in mistakes]
    mistakes.raise_if_any("Nothing was computed.")
    _check_model(stage.model)
    stage.check_inputs({})
    return _checked(Node("evaluate", stage))


def _with_decoding(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with `samples` and `temperature` where they hold: in the decoding, where its option file has them,
    for otherwise it would go by the file's and not by what was typed. One that is not given is left out."""
    decoding = dict(options["decoding"])
    given = {name: options[name] for name in OF_THE_DECODING if options[name] is not None}
    own = {name for name in given if decoding.get(name) is not None}
    decoding |= {name: given[name] for name in own}
    rest = {name: value for name, value in options.items() if name not in OF_THE_DECODING}
    return {**rest, **{name: given[name] for name in given.keys() - own}, "decoding": decoding}


def _as_typed(mistake: str) -> str:
    """The stage's own paths of its options as the command has them."""
    return re.sub(r"\bevaluate\.(benchmarks\b)?", lambda found: "benchmark" if found[1] else "", mistake)


def _check_model(model: ModelSource | None) -> None:
    if model is not None and model.made_here:
        raise UserError(f"There is nothing to evaluate: {model.title()}.", "Add model=FOLDER, that of a trained one.")


def _checked(node: Node) -> Node:
    if node.absent:
        raise UserError("\n".join(dict.fromkeys(str(error) for error in node.absent)), "Nothing was computed.")
    return node


class Evaluations:
    """Those of one outputs folder."""

    def __init__(self, outputs: Path):
        self.outputs = outputs.absolute()
        self.folder = self.outputs / "evaluations"
        self.store = Store(self.outputs / "store")

    def evaluate(self, node: Node, name: str, compute: Compute, command: str, say: Callable[[str], None]) -> Path:
        """Run the node, or reuse what the store has of it; returns the folder that its name leads to.

        A second launch of the same evaluation waits for the first; a killed one goes on where it was.
        """
        if isinstance(compute, Local) and isinstance(getattr(node.stage, "engine", None), OpenAIGenerator):
            compute = Local(isolate=False)  # nothing heavy is loaded: no process of its own is needed
        return self._named(name, self._runner(compute, command, say).walk([node])[node.name])

    def regrade(self, name: str, command: str, say: Callable[[str], None]) -> Path:
        """Grade the answers of an evaluation again, by today's grader."""
        full, earlier = self.find(name)
        config = earlier.manifest["config"]
        options = {option: config[option] for option in REGRADED if config.get(option) is not None}
        stage: Regrade = build({"_target_": "src.stages.evaluate.Regrade", **options}, "regrade")
        finished: Any = _Finished("evaluation", earlier.manifest["key"])
        node = _checked(Node("regrade", stage, {"evaluation": finished}))
        runner = self._runner(Local(isolate=False), command, say)
        runner.made[finished.name] = earlier
        return self._named(full[: -KEY_DIGITS - 1], runner.walk([node])[node.name])

    def all(self) -> dict[str, Artifact]:
        """The finished evaluations by full name."""
        links = sorted(path for path in self.folder.glob("*") if (path / "manifest.json").is_file())
        return {path.name: Artifact(path) for path in links}

    def find(self, name: str) -> tuple[str, Artifact]:
        """The evaluation of that name: with its key, or without where only one has it; one that was graded again is
        what that made of it.

        Raises UserError for none and for several; those differ in options, which the message says.
        """
        found = {full: made for full, made in self.all().items() if name in (full, full[: -KEY_DIGITS - 1])}
        if not found:
            known = ", ".join(self.all()) or "none"
            raise UserError(f"{self.folder / name} holds no finished evaluation.", f"There are: {known}.")
        if len(found) > 1:
            graded_again = {key for made in found.values() for key in made.manifest["inputs"].values()}
            found = {full: made for full, made in found.items() if made.manifest["key"] not in graded_again}
        if len(found) > 1:
            lines = "\n".join(f"  {full}: {_differences(made, found.values())}" for full, made in found.items())
            raise UserError(
                f"{len(found)} evaluations are called {name}:\n{lines}", "Write one of these names in full."
            )
        ((full, made),) = found.items()
        return full, made

    def _runner(self, compute: Compute, command: str, say: Callable[[str], None]) -> Runner:
        silent = NoTracker().start("", "", "", {}, self.outputs)
        return Runner(self.store, compute, silent, self.outputs / "cache", command, say)

    def _named(self, name: str, made: Artifact) -> Path:
        link = self.folder / f"{name}-{made.path.name[:KEY_DIGITS]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # of the same command before, or of one beside that waited for the same
            link.symlink_to(os.path.relpath(made.path, self.folder))
        return link


@dataclass(frozen=True)
class _Finished:
    """Stands for the node of an artifact that is there already."""

    name: str
    key: str


def _differences(made: Artifact, others: Iterable[Artifact]) -> str:
    """The options in which an evaluation differs from its namesakes."""
    mine, all_of_them = made.manifest["config"], [other.manifest["config"] for other in others]
    alike = [config for config in all_of_them if config["_target_"] == mine["_target_"]]
    kind = [mine["_target_"].rpartition(".")[2]] if len(alike) < len(all_of_them) else []  # Evaluate, or Regrade
    return ", ".join([*kind, *_told(mine, alike, "")])


def _told(mine: Any, theirs: Sequence[Any], path: str) -> Iterator[str]:
    """Options that any of the others has not so; what one of them lacks altogether is told by its name alone."""
    if all(isinstance(each, Mapping) for each in (mine, *theirs)):
        for name, value in mine.items():
            yield from _told(value, [each.get(name) for each in theirs], f"{path}.{name}".lstrip("."))
    elif any(each != mine for each in theirs):
        if isinstance(mine, Mapping):
            yield path
        elif path.endswith(TARGET):
            option, kind = path.removesuffix(TARGET), mine.rpartition(".")[2]
            yield f"{option}={option_name(kind) if option == 'decoding' else kind}"
        else:
            yield f"{path}={mine.encode('unicode_escape').decode() if isinstance(mine, str) else mine}"
