"""The command line, composed by Hydra before Hydra runs anything: all mistakes in it at once, in plain words.

Hydra stops at the first mistake, and finds the mistakes of a sweep's last job when the others have run. So every job is
composed here first; where that fails, the overrides are tried one after the other and each error is reworded.
"""

from __future__ import annotations

import importlib
import re
import tempfile
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from src.config.mistakes import Mistakes, did_you_mean
from src.core.errors import UserError

CONF = Path(__file__).parents[2] / "conf"
PLUGINS = ("joblib", "submitit_slurm", "submitit_local", "ray", "optuna")  # of the extra "scale"
ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)  # of a composition
ONE_EACH = "type the command once for each value"
# An option that has a plain name as well, in the command that evaluates and behind `evaluate.`
FULL_NAME = re.compile(r"decoding\.(samples|temperature)|benchmark\.\w+\.(every|limit|max_tokens)|engine\.(system)")
LOOK = "Nothing was computed. `--help` lists the groups, `--help NAME` what an option means, `--cfg job` all values."


@dataclass(frozen=True)
class CommandLine:
    """What stands behind `python -m src.train`: flags and overrides, in any order.

    An option inside a section becomes an override that may also add it, so that all options have their plain names,
    whether a file mentions them or not: which there are, `src.config.build` knows.
    """

    flags: list[str]
    overrides: list[str]
    multirun: bool
    runs: bool  # not a question, such as --help or --cfg job
    explains: bool = False  # --help with the name of a group or an option

    @classmethod
    def parse(cls, words: Sequence[str]) -> CommandLine:
        words = [_from_home(word) for word in words]
        args = get_args_parser().parse_intermixed_args(words)
        flags = words.copy()
        for override in args.overrides:
            flags.remove(override)
        asks = (args.help, args.hydra_help, args.cfg, args.info, args.shell_completion, args.experimental_rerun)
        named = args.help and bool(args.overrides)
        return cls(flags, [_may_add(word) for word in args.overrides], args.multirun, not any(asks), named)


def _from_home(word: str) -> str:
    """`model.name=~/x` in full: a shell leaves a ~ behind an equals sign as it is, and Hydra cannot read it."""
    key, equals, value = word.partition("=")
    return f"{key}={Path(value).expanduser()}" if equals and value.startswith("~/") else word


def _may_add(word: str) -> str:
    key, _, value = word.partition("=")
    inside = "." in key or value.startswith("{")
    return word if word[0] in "+~" or not inside or key.startswith("hydra.") or _names_group(word) else f"++{word}"


@dataclass(frozen=True)
class Composed:
    """The jobs of a command, composed, each with Hydra's own node in it.

    open_sweep: the sweeper chooses its jobs as it goes on (Optuna), so that `jobs` holds one that stands for all.
    overrides: what Hydra is to be given in place of the command's own, where that makes a difference."""

    jobs: list[DictConfig]
    sweep: bool = False
    open_sweep: bool = False
    overrides: list[str] | None = None


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """A `UserError` ends the program with its text alone. In a job of a sweep Hydra must see it, so that the other jobs
    go on."""
    try:
        yield
    except UserError as error:
        if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        raise SystemExit(str(error)) from None


def compose_command(
    command: CommandLine, config_name: str, mistakes: Mistakes, sweeps: bool = True, at_most: int | None = None
) -> Composed:
    """Every job of the command. What cannot be composed is noted in `mistakes`, and the rest composed without it.

    sweeps: whether the command may have several jobs; at_most: how many of them are wanted.
    """
    parsed = list(_parsed(command.overrides, mistakes))
    if mistakes:
        return Composed([])
    with _hydra() as loader:
        return _Composer(loader, config_name, mistakes, sweeps, at_most).command(command, parsed)


@contextmanager
def _hydra() -> Iterator[ConfigLoader]:
    from hydra import initialize_config_dir

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().clear()


class _Composer:
    """Composes jobs; what goes wrong is noted in `mistakes`."""

    def __init__(self, loader: ConfigLoader, config_name: str, mistakes: Mistakes, sweeps: bool, at_most: int | None):
        self.loader, self.config_name, self.mistakes, self.sweeps = loader, config_name, mistakes, sweeps
        self.at_most = at_most
        self._with_groups: dict[tuple[tuple[str, ...], RunMode], DictConfig] = {}

    @cached_property
    def known(self) -> DictConfig:
        """What there is to choose: the configuration without overrides."""
        return self._load([])

    def command(self, command: CommandLine, parsed: Sequence[Override]) -> Composed:
        for override in parsed:
            self._check_one_option(override)
        _check_one_value(parsed, self.mistakes)
        swept = command.multirun or any(override.is_sweep_override() for override in parsed)
        whole = self.job(command.overrides, RunMode.MULTIRUN if swept else RunMode.RUN)
        if not _writable(whole, self.mistakes):
            return Composed([])
        sweep = command.multirun or whole.hydra.mode == RunMode.MULTIRUN
        if sweep and not self.sweeps:
            self.mistakes.add("-m", f"this command has no sweeps; {ONE_EACH}")
            return Composed([])
        if not sweep:
            return Composed([self.job(command.overrides) if swept else whole])
        if "basic_sweeper" not in whole.hydra.sweeper._target_:
            fixed = [word for word, override in zip(command.overrides, parsed) if not override.is_sweep_override()]
            return Composed([self.job(fixed)], sweep, open_sweep=True)
        words = as_swept(command.overrides, whole)
        return Composed([self.job(arm) for arm in arms(words, whole)[: self.at_most]], sweep, overrides=words)

    def job(self, words: Sequence[str], mode: RunMode = RunMode.RUN) -> DictConfig:
        """The configuration of these overrides. Where there is none, they are tried one by one, groups first (they
        bring the rest), what is wrong with each is noted, and the others are composed."""
        groups = tuple(word for word in words if _names_group(word))
        words = [word for word in words if self._root_is_right(word, groups, mode)]
        try:
            config = self._load(words, mode)
            _ = config.hydra.run.dir  # the first that Hydra resolves
            return config
        except ERRORS as error:
            right, wrong = list[str](), set[str]()
            base = self.known
            for word in sorted(words, key=lambda word: not _names_group(word)):
                if _root(word) in wrong:
                    continue  # what such a group holds, nobody can say
                try:
                    base = self._load([*right, word], mode)
                    right.append(word)
                except ERRORS as found:
                    wrong.add(_root(word))
                    _note(_reworded(word, found, base, self.sweeps), self.mistakes)
            if not wrong:  # together they do not fit
                _note(_reworded("", error, base, self.sweeps), self.mistakes)
            return base

    def _load(self, words: Sequence[str], mode: RunMode = RunMode.RUN) -> DictConfig:
        return self.loader.load_configuration(self.config_name, list(words), run_mode=mode)

    def _chosen(self, groups: tuple[str, ...], mode: RunMode) -> DictConfig:
        """The configuration with these groups alone: the sections that a method brings are there, too."""
        if (groups, mode) not in self._with_groups:
            try:
                self._with_groups[groups, mode] = self._load(groups, mode)
            except ERRORS:  # told below, with the word that is wrong
                self._with_groups[groups, mode] = self.known
        return self._with_groups[groups, mode]

    def _root_is_right(self, word: str, groups: tuple[str, ...], mode: RunMode) -> bool:
        """A plus would add anything at the root, and a tilde take anything away."""
        if word[0] not in "+~" or (_names_group(word) and word[0] == "+"):
            return True
        there = self._chosen(groups, mode)
        root, name = _root(word), word.lstrip("+~").split("=")[0]
        if root not in there:
            _note(f"{name}: no such option{did_you_mean(root, map(str, there))}", self.mistakes)
        elif word == f"~{root}":
            _note(f"{word}: the method needs it; choose another option or value instead", self.mistakes)
        else:
            return True
        return False

    def _check_one_option(self, override: Override) -> None:
        """Hydra merges a list of options into one, which means something for benchmarks and experiments alone."""
        value = override.value()
        if not isinstance(value, list) or override.is_add() or not _names_group(override.key_or_group):
            return
        key = override.get_key_element()
        if isinstance(self.known.hydra.runtime.choices.get(key), str):
            several = f"a sweep tries several: -m {key}={','.join(map(str, value))}" if self.sweeps else ONE_EACH
            self.mistakes.add(str(override.input_line), f"{key} takes one option, no list; {several}")


def _check_one_value(parsed: Sequence[Override], mistakes: Mistakes) -> None:
    """Note options that are given two values, by one name typed twice, of which Hydra takes the last without a word, or
    by the full and the plain name. What is taken away may be given anew: `~x ++x={a: 1}`."""
    given: dict[str, Override] = {}
    for override in parsed:
        if override.is_delete():
            continue
        if (before := given.setdefault(override.get_key_element().lstrip("+"), override)) is not override:
            _check_alike(before, override, mistakes)
    for full, override in given.items():
        if found := FULL_NAME.fullmatch(full):
            name = found[found.lastindex or 0]
            for other in (given[plain] for plain in (name, f"evaluate.{name}") if plain in given):
                if None not in (other.value(), override.value()):  # null leaves the choice to the other
                    _check_alike(other, override, mistakes)


def _check_alike(one: Override, other: Override, mistakes: Mistakes) -> None:
    if one.value() != other.value() or one.is_sweep_override():  # two axes: Hydra would multiply them
        words = [str(each.input_line).removeprefix("++") for each in (one, other)]
        mistakes.add(" and ".join(words), "two values of one option; take one of them away")


def as_swept(overrides: Sequence[str], config: DictConfig) -> list[str]:
    """An axis of the experiment by the experiment's own name for it: its sweeper would take `++clean.share=0.5` for
    one option and `clean.share` for another, and run every arm with the same value."""
    axes = config.hydra.sweeper.get("params") or {}
    return [word.removeprefix("++") if word.removeprefix("++").split("=")[0] in axes else word for word in overrides]


def arms(overrides: Sequence[str], config: DictConfig) -> list[list[str]]:
    """The overrides of each job, as Hydra's own sweeper splits them."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    (jobs,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides([*params, *overrides]), None)
    return jobs


def _note(line: str, mistakes: Mistakes) -> None:
    if line not in mistakes:
        mistakes.append(line)


def _names_group(word: str) -> bool:
    group = word.lstrip("+~").split("=")[0].split("@")[0]
    return group.startswith("hydra/") or ("." not in group and (CONF / group).is_dir())


def _root(word: str) -> str:
    """The section that an override sets: of `generator@teacher=openai` it is teacher."""
    return word.lstrip("+~").split("=")[0].split("@")[-1].split(".")[0]


def _parsed(words: Sequence[str], mistakes: Mistakes) -> Iterator[Override]:
    if "=" in words:
        mistakes.add(" ".join(words), "no blanks around '=': write key=value")
        return
    for word in words:
        plain = word.removeprefix("++")
        try:
            yield OverridesParser.create().parse_override(word)
        except HydraException as error:
            key, equals, value = plain.partition("=")
            if not equals:
                mistakes.add(plain, "this sets nothing: write key=value")
            else:
                quoted = f"'{key}=\"{value}\"'"
                problem = str(error).splitlines()[0]
                mistakes.add(plain, f"Hydra cannot read this value ({problem}); in quotes it is a text: {quoted}")


def _writable(config: DictConfig, mistakes: Mistakes) -> bool:
    """Hydra would make the folder of a run, and fail with a traceback."""
    if "outputs" not in config:
        return True
    folder = Path(config.outputs).expanduser().absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        mistakes.add("outputs", f"nothing can be written in '{there}'; choose another folder: outputs=...")
        return False


def _reworded(word: str, error: Exception, known: DictConfig, sweeps: bool) -> str:
    """Hydra's error about one override, in the words of this project and with what to type instead."""
    text, word = str(error), word.removeprefix("++")
    key, value = word.lstrip("+~").split("=")[0], word.partition("=")[2]
    if isinstance(error, YAMLError):
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"{mark.name}, line {mark.line + 1}" if mark else str(CONF)
        return f"{place}: this is not YAML: {problem or error}"
    if found := re.search(
        r"Could not find '((?:\S*/)?(\S+)/(\S+))'\s+Available options in '\S+':\n((?:\t.*\n?)+)", text
    ):
        path, group, name, there = found[1], found[2], found[3], found[4].split()
        if group in ("launcher", "sweeper") and name in PLUGINS:
            return f"{word}: the plugin '{name}' is not installed: make install EXTRA=cpu,scale (or gpu,scale)"
        if name != value.rpartition("/")[2]:  # a name that is put together from several choices
            return f"{path}: what is chosen together asks for it, and there is none; take another method or experiment"
        return f"{word}: no such option{did_you_mean(name, there)}{_any_model(key, value, there)}"
    if found := re.search(r"Could not load '(?:\S*/)?([^/\s]+)/([^/\s]+)'", text):  # one of a list
        there = [path.stem for path in (CONF / found[1]).glob("*.yaml")]
        return f"{found[1]}={found[2]}: no such option{did_you_mean(found[2], there)}"
    if "Multiple values for" in text or "An item is already at" in text:
        return f"{word}: {key} has a value already; without the plus it takes another: {key}={value}"
    if found := re.search(r"Did you mean to override one of (.*)\?", text):
        places = " or ".join(f"{place}={value}" for place in found[1].split(", "))
        return f"{word}: a {key.split('@')[0]} is chosen for a place: {places}"
    if found := re.search(r"Did you mean to override (\S+)\?", text):
        return f"{word}: did you mean {found[1]}={value}?"
    if "No match in the defaults list" in text:
        if (CONF / key).is_dir():
            return f"{word}: nothing is chosen for it yet; a plus adds it: +{key}={value}"
        return f"{key}: no such group{did_you_mean(key, known)}"
    if "Config group override must be a string or a list" in text:
        options = [path.stem for path in (CONF / key.split("@")[0]).glob("*.yaml")]
        return f"{word}: no such option{did_you_mean(value, options)}"
    if "Ambiguous value" in text:
        ways = ["several values are a sweep with -m" if sweeps else f"this takes one value; {ONE_EACH}"]
        if _takes_list(key, known):
            ways = [
                *(ways if sweeps else ()),
                f"{'one list' if sweeps else 'a list stands'} in brackets: {key}=[{value}]",
            ]
        return f"{word}: {', or '.join(ways)}"
    if "Could not override" in text or "does not exist" in text:
        return _unknown(key, known)
    if mounts := [str(g) for g in known.hydra.runtime.choices if str(g).endswith(f"@{key}")]:
        return f"{word}: {key} is filled by a group: {mounts[0]}={value}"
    cause = error.__cause__ or error
    problem = (str(getattr(cause, "msg", None) or cause).strip() or type(cause).__name__).splitlines()[0]
    if "nterpolation" in type(cause).__name__:
        return f"{getattr(cause, 'full_key', None) or word}: refers to what is not there: {problem}"
    parent = key.rpartition(".")[0]
    unmergeable = "does not support merging" in problem or "Cannot merge" in problem
    if parent and (unmergeable or getattr(cause, "full_key", None) == parent):
        return f"{word}: '{parent}' is a value and has no options"
    if "is not a valid bool" in problem:
        return f"{word}: {key} takes true or false"
    return f"{word}: {problem}" if word else problem


def _any_model(key: str, value: str, there: Sequence[str]) -> str:
    """Of a group that has the option `hf`: what takes a model that the group does not name."""
    return f" (a folder or hub name: {key}=hf {key.split('@')[-1]}.name={value})" if "hf" in there else ""


def _takes_list(key: str, known: DictConfig) -> bool:
    """Whether the option's value is a list, as its default or its type says; of a group, whether it takes several."""
    if _names_group(key):
        return not isinstance(known.hydra.runtime.choices.get(key), str)
    if isinstance(OmegaConf.select(known, key, throw_on_missing=False), ListConfig):
        return True
    place, _, name = key.rpartition(".")
    module, _, kind = str(OmegaConf.select(known, f"{place}._target_") if place else "").rpartition(".")
    if not module:
        return False
    hint = typing.get_type_hints(getattr(importlib.import_module(module), kind)).get(name)
    return any(typing.get_origin(part) in (tuple, list) for part in (hint, *typing.get_args(hint)))


def _unknown(dotted: str, config: Any) -> str:
    """Walk down as far as the names are right; suggest one for the first that is not."""
    for part in dotted.split("."):
        if not isinstance(config, DictConfig):
            break
        if part not in (keys := [str(key) for key in config]):
            return f"{dotted}: no such option{did_you_mean(part, keys)}"
        config = None if OmegaConf.is_missing(config, part) else config[part]
    return f"{dotted}: no such option"
