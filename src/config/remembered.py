"""What Hydra does anew for each composition, and need do once in a process.

A command composes its configuration four times, to check it and when Hydra runs it, and a sweep twice for each job,
from the same forty option files.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.core_plugins import file_config_source as hydras
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

MOST = 200  # compositions that are kept, 60 KB each


class FileConfigSource(hydras.FileConfigSource):
    """Option files, each parsed once for as long as it stays as it is (0.12 s of the 0.4 s of a composition).

    Called as Hydra's own, by whose name Hydra tells whether it has such a source: so in the processes of a launcher,
    which get what is registered here, and where Hydra then registers its own.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        try:
            stat = Path(self.path, self._normalize_file_name(config_path)).stat()
        except OSError:  # Hydra has the words for it
            return super().load_config(config_path)
        found: ConfigResult = pickle.loads(
            _parsed(self.provider, self.path, config_path, stat.st_mtime_ns, stat.st_size)
        )
        return found  # a copy: Hydra takes the defaults list out of it


@cache
def _parsed(provider: str, folder: str, name: str, changed: int, size: int) -> bytes:
    return pickle.dumps(hydras.FileConfigSource(provider, folder).load_config(name))


class Compositions:
    """Which option files a choice of options brings, and what they make merged: 0.4 s each time, of which the values
    that are set one by one take 0.01 s. Kept by the choices, for as long as files and schemas stay as they are; a
    resolver in a list of defaults must give one value in a process, as those of this project do."""

    def __init__(self) -> None:
        self._lists: dict[tuple[Any, ...], DefaultsList] = {}
        self._merged: dict[tuple[Any, ...], bytes] = {}

    def defaults_list(
        self,
        repo: IConfigRepository,
        config_name: str | None,
        overrides_list: list[Override],
        prepend_hydra: bool,
        skip_missing: bool,
    ) -> DefaultsList:
        """In place of Hydra's `create_defaults_list`."""
        values = Overrides(repo, overrides_list).config_overrides
        set_alone = set(map(id, values))
        choices = tuple(
            str(o.input_line) for o in overrides_list if id(o) not in set_alone and not o.is_sweep_override()
        )
        key = (_sources(repo), config_name, choices, prepend_hydra)
        found = self._lists.get((*key, False)) or self._lists.get((*key, skip_missing))  # complete without skipping
        if found is None:
            found = create_defaults_list(repo, config_name, overrides_list, prepend_hydra, skip_missing)
            _keep(self._lists, (*key, skip_missing), found)
        return replace(found, defaults=list(found.defaults), config_overrides=values)

    def merged(self, loader: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        """In place of `ConfigLoaderImpl._compose_config_from_defaults_list`."""
        key = (_sources(repo), *map(astuple, defaults))
        if key not in self._merged:
            _keep(self._merged, key, pickle.dumps(_merge(loader, defaults, repo)))
        config: DictConfig = pickle.loads(self._merged[key])
        return config


_merge = ConfigLoaderImpl._compose_config_from_defaults_list
_compositions = Compositions()


def _keep(kept: dict[tuple[Any, ...], Any], key: tuple[Any, ...], value: Any) -> None:
    if len(kept) >= MOST:
        kept.clear()
    kept[key] = value


def _sources(repo: IConfigRepository) -> tuple[Any, ...]:
    """Where options are looked for, and the state of what lies there."""
    sources = [(source.scheme(), source.provider, source.path) for source in repo.get_sources()]
    files = [state for scheme, _, path in sources if scheme == "file" for state in _files(Path(path))]
    return (*sources, *files, *_stored(ConfigStore.instance().repo))


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Every option file below, behind links as well, with what changes when it is written."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = sorted(name for name in folders if os.path.realpath(f"{place}/{name}") not in seen)
        for name in sorted(names):
            if name.endswith(".yaml"):
                with suppress(OSError):  # a link to nowhere, as editors leave for a while, or just deleted
                    state = Path(place, name).stat()
                    yield f"{place}/{name}", state.st_mtime_ns, state.st_size


def _stored(schemas: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for name, there in schemas.items():
        if isinstance(there, dict):
            yield from _stored(there)
        else:
            yield name, id(there)


def remember() -> None:
    """Have Hydra read through this `FileConfigSource`, keep what it composed, and its store of schemas.

    Hydra copies where it looks for options before each composition and for each group that `--help` lists, and with it
    that store (0.02 s of a composition, 4 s of `--help`). There is one in a process, and what it hands out it copies.
    """
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource
    ConfigStore.__deepcopy__ = _itself  # type: ignore[attr-defined]
    config_loader_impl.create_defaults_list = _compositions.defaults_list
    ConfigLoaderImpl._compose_config_from_defaults_list = _merged  # type: ignore[method-assign]


def _merged(self: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
    return _compositions.merged(self, defaults, repo)


def _itself(store: ConfigStore, memo: dict[int, Any]) -> ConfigStore:
    return store
