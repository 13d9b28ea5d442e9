"""The words of the prompts, one file a stage, put into one frame.

A stage's file has two parts, parted by a line of three dashes: the task, and the guidelines of that stage. The frame
holds what all prompts share. Blocks between `<!-- if x -->` and `<!-- end -->` stand only when x is given. `tool.md`
asks for a solution by a program, `tool_STAGE.md` where a stage wants other words for that (the paper's Figure 2 has one
for grade school and one for secondary school); `single.md` is the wording for all stages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent
EXAMPLES = "tool_examples.jsonl"
FRAME = "frame.md"
_PARTS = ("task", "guidelines", "passage", "quote", "example")
_BLOCK = re.compile(r"<!-- if (\w+) -->\n(.*?)<!-- end -->(?:\n|\Z)", re.DOTALL)
_MARK = re.compile(r"<!--\s*(?:if|end)\b")
_PLACE = re.compile(rf"\{{({'|'.join(_PARTS)})\}}")
_PARTED = "\n---\n"
_QUOTES = re.compile('"{3,}')

# How the tool prompts name the level they want.
LEVELS = {
    "grade_school": "grade school pupils",
    "middle_school": "middle school students",
    "high_school": "high school students",
    "college": "college students",
    "amc8": "contestants of the AMC 8",
    "amc10": "contestants of the AMC 10",
    "amc12": "contestants of the AMC 12",
    "aime": "contestants of the AIME",
    "": "students of mathematics at any level",
}


@dataclass(frozen=True)
class StageWords:
    """All that full prompts are written of: texts by the names of their files."""

    files: Mapping[str, str]

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Stages that have a file, by name."""
        names = (name.removesuffix(".md") for name in sorted(self.files) if name.endswith(".md"))
        return tuple(name for name in names if name not in ("frame", "single") and not name.startswith("tool"))

    @cached_property
    def tool_examples(self) -> tuple[str, ...]:
        """Solved problems, in the format that is asked for."""
        rows = (json.loads(line) for line in self.files[EXAMPLES].split("\n") if line.strip())
        return tuple(f"[Problem]\n{row['question']}\n\n[Solution]\n{row['solution']}" for row in rows)

    @cached_property
    def text(self) -> str:
        """All of it, for a hash."""
        return "\n".join((json.dumps(LEVELS), *(f"{name}\n{text}" for name, text in sorted(self.files.items()))))

    def full(self, stage: str, kind: str, passage: str, example: str = "") -> str:
        """A prompt for a model that follows instructions. `stage` "" is the wording for all stages; `example`: a solved
        problem to show where a program is asked for."""
        name = stage or "single"
        if kind == "tool":
            name = f"tool_{stage}" if f"tool_{stage}.md" in self.files else "tool"
        task, guidelines = self.files[f"{name}.md"].split(_PARTED)
        parts = {
            "task": task.strip().replace("{level}", LEVELS.get(stage, f'students at the level "{stage}"')),
            "guidelines": guidelines.strip(),
            "passage": passage,
            "quote": max(['""', *_QUOTES.findall(passage)], key=len) + '"',  # longer than any inside: none can close it
            "example": example if kind == "tool" else "",
        }
        text = _BLOCK.sub(lambda block: block[2] if parts[block[1]] else "", self.files[FRAME])
        return _PLACE.sub(lambda place: parts[place[1]], text).strip() + "\n"


def words(own: str | None = None) -> StageWords:
    """The words of this folder; files of the folder `own` stand in for those of the same name, and add others.

    Raises ValueError, with the file, for one that cannot be used.
    """
    files = _read(FOLDER)
    if own is None:
        return StageWords(files)
    folder = Path(own).expanduser()
    found = _read(folder) if folder.is_dir() else {}
    if not found:
        raise ValueError(f"folder must hold files NAME.md or {EXAMPLES}; there are none in {own}")
    for name, text in found.items():
        if name == EXAMPLES:
            _check_examples(text, folder / name)
        elif name == FRAME:
            _check_frame(text, folder / name)
        elif text.count(_PARTED) != 1:
            raise ValueError(f"{folder / name} must have a task and guidelines, parted by one line of three dashes")
    return StageWords(files | found)


def _read(folder: Path) -> dict[str, str]:
    paths = (path for pattern in ("*.md", EXAMPLES) for path in folder.glob(pattern))
    try:
        return {path.name: path.read_text(encoding="utf-8") for path in paths}
    except UnicodeDecodeError as error:
        raise ValueError(f"a file in {folder} is not UTF-8 text ({error.reason})") from None


def _check_frame(text: str, path: Path) -> None:
    if "{task}" not in text:
        raise ValueError(f"{path} must hold {{task}}, the place of a stage's task: without it all stages ask the same")
    if not {name for name, _ in _BLOCK.findall(text)} <= {*_PARTS} or _MARK.search(_BLOCK.sub(r"\2", text)):
        raise ValueError(
            f"{path}: a block stands between the lines '<!-- if x -->' and '<!-- end -->', has no other inside, and "
            f"its x is one of {', '.join(_PARTS)}"
        )


def _check_examples(text: str, path: Path) -> None:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise ValueError(f"{path} holds no example")
    for number, line in lines:
        try:
            row = json.loads(line)
            good = isinstance(row["question"], str) and isinstance(row["solution"], str)
        except (ValueError, TypeError, KeyError):
            good = False
        if not good:
            raise ValueError(f"{path}, line {number}: an example is an object of two texts, question and solution")


def brief(stage: str, kind: str, passage: str) -> str:
    """A prompt for a very small model: passage and stage on one line, then a tag, just before what it writes.

    The tag tells a program from words and no more, as the shipped base has read it: with the stage inside, it wrote a
    program for none of 48 prompts that asked for one, with the stage before it for 45.
    """
    line = " ".join([*passage.split(), *([f"[{stage}]"] if stage else [])])
    tag = "[any code]" if kind == "tool" else "[any]"
    return f"{line}\n{tag}\n" if line else f"{tag}\n"


def brief_forms() -> list[str]:
    """The brief form of a passage, for a hash."""
    return [brief(stage, kind, "passage") for stage in ("", "stage") for kind in ("cot", "tool")]
