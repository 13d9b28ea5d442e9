"""The commands that the project prints: on its pages, in the help texts, docstrings and comments, in its messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "experiments/README.md")
SOURCES = (("conf", "*.yaml"), ("src", "*.py"), ("src", "*.html"))
FIRST_WORDS = "prune|ID|clean|select|generate|pretrain|evaluate|spec.json|cpu,scale|outputs/runs/base/main-s0 base_1m"
PRINTED = re.compile(
    rf"python -m (src\.[a-z_]+(?:\.[a-z_]+)*)((?: (?:{FIRST_WORDS})\b)?"
    r"(?:\s+(?:[-+~]?[-\w@/.]+=[^\s`\"<\\]+|'[^']+'|--cfg job|--?[a-z]+))*)"
)
MESSAGES = {  # what a message fills in, by what stands in the source
    "{given['stage']}": "clean",
    "clean {rows}": "clean rows=my.jsonl",
    "={name}": "=ablation_rounds",
    "=%s": "=demo",
    "{folder / SPEC}": "spec.json",
}
STAND_FOR_ONE = {
    "experiment=X": "experiment=ablation_rounds",
    "path/or/hub-name": "DIR",
    "report study=ablation_no_influence": "report study=demo",
    " STAGE rows=FILES": " clean rows=my.jsonl",
}


def printed_commands() -> list[str]:
    """Each command once, without `python -m`."""
    return list(dict.fromkeys(command for text in _texts() for command in _commands(text)))


def _texts() -> Iterator[str]:
    yield from ((ROOT / page).read_text() for page in PAGES)
    for folder, names in SOURCES:
        yield from (path.read_text() for path in sorted((ROOT / folder).rglob(names)))


def _commands(text: str) -> Iterator[str]:
    for written, filled in (*MESSAGES.items(), *STAND_FOR_ONE.items()):
        text = text.replace(written, filled)
    for module, words in PRINTED.findall(text):
        yield " ".join(f"{module} {words}".split()).rstrip(".,:")
