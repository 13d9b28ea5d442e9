"""The words of the prompts, one file a stage, put into one frame.

A stage's file has two parts, parted by a line of three dashes: the task, and the guidelines of that stage. The frame
holds what all prompts share. Blocks between `<!-- if x -->` and `<!-- end -->` stand only when x is given.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_BLOCK = re.compile(r"<!-- if (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_PLACE = re.compile(r"\{(task|guidelines|passage|example)\}")

# How the tool prompt, one file for all stages, names the level it wants.
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


def full(stage: str, kind: str, passage: str, example: str) -> str:
    """A prompt for a model that follows instructions. `stage` "" is the wording for all stages."""
    name = "tool" if kind == "tool" else stage or "single"
    task, guidelines = _read(name).split("\n---\n")
    parts = {
        "task": task.strip().replace("{level}", LEVELS[stage]),
        "guidelines": guidelines.strip(),
        "passage": passage,
        "example": example if kind == "tool" else "",
    }
    text = _BLOCK.sub(lambda block: block[2] if parts[block[1]] else "", _read("frame"))
    return _PLACE.sub(lambda place: parts[place[1]], text).strip() + "\n"


def brief(stage: str, kind: str, passage: str) -> str:
    """A prompt for a very small model: passage and stage on one line, then a tag, just before what it writes.

    The tag tells a program from words and no more, as the shipped base has read it: with the stage inside, it wrote a
    program for none of 48 prompts that asked for one, with the stage before it for 45.
    """
    line = " ".join([*passage.split(), *([f"[{stage}]"] if stage else [])])
    tag = "[any code]" if kind == "tool" else "[any]"
    return f"{line}\n{tag}\n" if line else f"{tag}\n"


@cache
def tool_examples() -> tuple[str, ...]:
    """Solved problems, in the format that is asked for."""
    lines = (FOLDER / "tool_examples.jsonl").read_text(encoding="utf-8").splitlines()
    rows = (json.loads(line) for line in lines)
    return tuple(f"[Problem]\n{row['question']}\n\n[Solution]\n{row['solution']}" for row in rows)


@cache
def everything() -> str:
    """All text that a prompt can be made of, the brief form included, for its hash."""
    files = sorted((*FOLDER.glob("*.md"), *FOLDER.glob("*.jsonl")))
    texts = (f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in files)
    return "\n".join((json.dumps(LEVELS), *brief_forms(), *texts))


def brief_forms() -> list[str]:
    """The brief form of a passage, for a hash."""
    return [brief(stage, kind, "passage") for stage in ("", "stage") for kind in ("cot", "tool")]


@cache
def _read(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")
