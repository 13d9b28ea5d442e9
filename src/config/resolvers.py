"""Resolvers of the configuration.

`${choice:selector}`: the option chosen for a group, to name the arms of a study by what they differ in.
`${installed:module,option,other}`: an option for machines that have a package, and one for those that have not.
`${times:a,b}`: a product, of calls for example.
`${among:names,section}`: those of the names that the section has; null where it has none of them.
`${home:folder}`: a folder with its ~ in full, for what Hydra makes itself.
`${recipe:model,smallest,smollm2,other}`: of three recipes the one that fits the model.
`${single_options:evaluate}`: for a help text, the options of a file that are no group, each with the comment behind it.
`${writer:model,synthesizer}`: what writes their texts: vLLM where it is installed, but not for the smallest models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf

SMALLEST = ("base_1m", "llama_1m", "small", "tiny")
AS_THE_STUDENT = ("small", "tiny")  # synthesizers whose model is the student's


def choice(group: str, *, _root_: Any) -> str:
    """While Hydra composes, its own node is still in the tree; in the job it is in HydraConfig."""
    hydra = _root_.get("hydra") or HydraConfig.get()
    return str(hydra.runtime.choices[group])


def installed(module: str, option: str, other: str) -> str:
    return option if find_spec(module) else other


def times(a: int, b: int) -> int:
    return a * b


def among(names: Sequence[str] | None, section: Mapping[str, Any]) -> list[str] | None:
    return [name for name in names or () if name in section] or None


def recipe(model: str, smallest: str, smollm2: str, other: str) -> str:
    """What teaches a model of a million parameters wrecks one that comes trained: its rate is a hundred times too high,
    its batch a sequence. A model of unknown size is taken for a large one."""
    return smallest if model in SMALLEST else smollm2 if model == "smollm2_135m" else other


def writer(model: str, synthesizer: str) -> str:
    """A model of a million parameters has written its texts with transformers before vLLM has begun."""
    smallest = model in SMALLEST and synthesizer in AS_THE_STUDENT
    return "transformers" if smallest else installed("vllm", "vllm", "transformers")


def single_options(file: str) -> str:
    """Hydra fills in what a help text writes with a `$`, so that one of an option's value is doubled."""
    from src.config.explain import lines_of_single_options

    return "\n".join(lines_of_single_options(file)).replace("$", "$$")


def home(folder: str) -> str:
    """A shell leaves the ~ of `outputs=~/x` as it is, and so does an option file."""
    return str(Path(folder).expanduser())


def register() -> None:
    OmegaConf.register_new_resolver("times", times, replace=True)
    OmegaConf.register_new_resolver("among", among, replace=True)
    OmegaConf.register_new_resolver("home", home, replace=True)
    OmegaConf.register_new_resolver("recipe", recipe, replace=True)
    OmegaConf.register_new_resolver("single_options", single_options, replace=True)
    OmegaConf.register_new_resolver("writer", writer, replace=True)
    OmegaConf.register_new_resolver("installed", installed, replace=True)
    OmegaConf.register_new_resolver("choice", choice, replace=True)


class Registered(Callback):
    """Goes with a job to the process in which a launcher (joblib, Slurm, Ray) composes it: there, no entry point has
    registered anything yet."""

    def __init__(self) -> None:
        register()

    def __reduce__(self) -> tuple[type[Registered], tuple[()]]:
        return Registered, ()
