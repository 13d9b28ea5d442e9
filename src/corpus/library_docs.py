"""Real mathematical text on every machine: the docstrings of installed libraries, read from their source files."""

from __future__ import annotations

import ast
import gc
import platform
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from src.core.errors import UserError
from src.core.records import Passage
from src.corpus.base import BadRow, Reader, passage
from src.corpus.docstrings import is_mathematical, prose

# Folders and files about computers rather than mathematics.
_SKIPPED = re.compile(
    r"(?:^|/)(?:tests?|testing|conftest|testutil|benchmarks|utilities|sandbox|deprecated|external|backends|printing"
    r"|codegen|parsing|interactive|plotting|drawing|readwrite|multimedia|multipledispatch|unify|strategies)(?:/|\.py$)"
)


@dataclass(frozen=True)
class LibraryDocs(Reader):
    """The docstrings of modules, classes and functions that speak of mathematics.

    The files are parsed, never imported: no side effects, a few seconds. min_chars: shorter ones are left out.
    mathematical: False takes texts about anything.
    meta: "object" is the dotted name of what the docstring documents.
    """

    libraries: tuple[str, ...] = ("sympy", "mpmath", "networkx")
    min_chars: int = 150
    mathematical: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "libraries", tuple(self.libraries))
        if not self.libraries:
            raise ValueError("libraries must name at least one package")
        if self.min_chars < 1:
            raise ValueError(f"min_chars must be positive, not {self.min_chars}")

    def identity(self) -> dict[str, str]:
        return {library: _version(library) for library in self.libraries}

    def size_hint(self) -> int:
        """No more than the sources' bytes have room for."""
        return sum(path.stat().st_size for name in self.libraries for path in _modules(_root(name))) // self.min_chars

    def read(self) -> Iterator[Passage | BadRow]:
        for library in self.libraries:
            root = _root(library)
            for path in _modules(root):
                module = ".".join((library, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
                yield from self._module(library, module, path)

    def _module(self, library: str, module: str, path: Path) -> Iterator[Passage | BadRow]:
        try:
            with _collector_paused():
                docstrings = list(_docstrings(_parse(path), module))
        except (SyntaxError, ValueError) as error:
            yield BadRow(str(path), f"not Python: {type(error).__name__}")
            return
        for name, raw in docstrings:
            if len(raw) < self.min_chars:
                continue
            text = prose(raw)
            if len(text) >= self.min_chars and (not self.mathematical or is_mathematical(text)):
                yield passage(library, text, {"object": name})


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Syntax trees are many small objects without cycles: looking for cycles among them doubles the time (5.3 s of
    parsing instead of 2.6 s for the three default libraries)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parse(path: Path) -> ast.Module:
    with warnings.catch_warnings():  # a library's stray escapes are its own affair
        warnings.simplefilter("ignore", SyntaxWarning)
        return ast.parse(path.read_bytes())


def _root(library: str) -> Path:
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        raise UserError(
            f"The corpus 'library_docs' reads the package '{library}', which is not installed.",
            f"pip install {library}",
        )
    return Path(spec.origin).parent


def _version(library: str) -> str:
    _root(library)
    if library in sys.stdlib_module_names:
        return platform.python_version()
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "unknown"


def _modules(root: Path) -> list[Path]:
    paths = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    return [root / path for path in paths if not _SKIPPED.search(path.as_posix())]


def _docstrings(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """(dotted name, docstring) of the module, its classes, functions and methods, in file order."""
    waiting: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]] = [(module, tree)]
    while waiting:
        name, node = waiting.pop()
        if text := ast.get_docstring(node):
            yield name, text
        if isinstance(node, ast.Module | ast.ClassDef):
            inner = (n for n in node.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef))
            waiting.extend((f"{name}.{n.name}", n) for n in reversed(list(inner)))
