"""A raw corpus of any size in which it is known what is wrong with every row.

Honest rows are a scene of random words from real problems with a procedural problem behind it, and the problems of the
sample corpora as they are. Among them are planted: the same question in another dress, questions with some words of
the scene replaced (Jaccard similarity 0.7 to 0.98 over runs of three words), benchmark questions whole and inside
other text, and rows that are no problem.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq

from src.core.records import Generation, content_id, write_table
from src.generation.procedural.sets import training_problems
from src.text.boxed import last_boxed
from src.text.normalise import question_key
from src.text.parsing import format_response
from tests.perf.measure import Skip
from tests.perf.rows import DATA

SHARES = {"same": 0.05, "near": 0.05, "contaminated": 0.02, "broken": 0.04}
FIELDS = {"gsm8k": ("question",), "math500": ("problem",), "svamp": ("Body", "Question")}
BROKEN = (
    "",
    "I cannot help with that.",
    "[Problem]\n\n[Solution]\nSo it is.",
    "[Problem]\nWhat is it?\n\n[Solution]\n",
)
PROBLEMS = 40_000  # procedural ones, told again with other scenes


@dataclass(frozen=True)
class Planted:
    """A row, what it is ("honest" or a key of SHARES), and for a repetition: of which row, and how alike."""

    row: Generation
    what: str
    of: str = ""
    alike: float = 0.0


@dataclass(frozen=True)
class Exam:
    """A benchmark, as far as contamination goes."""

    name: str
    texts: tuple[str, ...]

    def questions(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=f"{self.name}-{n}", text=text) for n, text in enumerate(self.texts)]


def exams() -> dict[str, Exam]:
    """The sample benchmarks. Raises Skip where they are missing."""
    if not (DATA / "benchmarks").is_dir():
        raise Skip(f"no sample benchmarks in {DATA / 'benchmarks'}")
    found = {}
    for name, fields in FIELDS.items():
        rows = map(json.loads, (DATA / "benchmarks" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
        texts = tuple(" ".join(row[field] for field in fields) for row in rows)
        found[name] = Exam(name, tuple(text for text in texts if len(text.split()) > 15))
    return found


def rows(count: int, seed: int = 0) -> Iterator[Planted]:
    """So many rows; the planted ones follow their originals at any distance once these are shuffled."""
    rng = random.Random(seed)
    asked = [text for exam in exams().values() for text in exam.texts]
    vocabulary = _vocabulary()
    problems = list(training_problems(min(PROBLEMS, count), seed))
    # A question that a benchmark has too would be contaminated without having been planted.
    samples = _samples()
    for number in range(count):
        lot = rng.random()
        id = content_id("planted", seed, number)
        what = next((name for name, edge in _edges() if lot < edge), "honest")
        if what == "broken":
            yield Planted(_generation(id, BROKEN[number % len(BROKEN)], "grade_school"), what)
            continue
        if what == "contaminated":
            question = rng.choice(asked)
            if rng.random() < 0.5:
                question = f"{_scene(rng, vocabulary)} {question} {_scene(rng, vocabulary)}"
            yield Planted(_problem(id, question, "It follows that the answer is \\boxed{7}.", "middle_school"), what)
            continue
        if what == "honest" and number < len(samples):
            question, solution, stage = *samples[number], "college"
        else:
            problem = problems[number % len(problems)]
            question = f"{_scene(rng, vocabulary)} {problem.question}"
            solution, stage = problem.solution, problem.stage
        row = _problem(id, question, solution, stage)
        yield Planted(row, "honest")
        if what == "honest":
            continue
        changed = _dressed(question) if what == "same" else _reworded(question, rng, vocabulary)
        twin = _problem(content_id("twin", id), changed, solution, stage)
        yield Planted(twin, what, of=id, alike=1.0 if what == "same" else similarity(question, changed))


def write(folder: Path, count: int, seed: int = 0, at_once: int = 200_000) -> Path:
    """The tables `generations` and `truth`, shuffled within blocks; returns the folder."""

    def shuffled() -> Iterator[Planted]:
        source = islice(rows(count, seed), count)
        while block := list(islice(source, at_once)):
            random.Random(seed).shuffle(block)
            yield from block

    truth: list[dict[str, object]] = []

    def noted() -> Iterator[Generation]:
        for planted in shuffled():
            truth.append({"id": planted.row.id, "what": planted.what, "of": planted.of, "alike": planted.alike})
            yield planted.row

    write_table(folder / "generations", Generation, noted())
    pq.write_table(pa.Table.from_pylist(truth), folder / "truth.parquet")
    return folder


def similarity(left: str, right: str) -> float:
    """Jaccard over runs of three words, the slow and plain way."""
    a, b = (_runs(question_key(text).split(" ")) for text in (left, right))
    return len(a & b) / len(a | b)


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def _edges() -> list[tuple[str, float]]:
    edges, total = [], 0.0
    for name, share in SHARES.items():
        total += share
        edges.append((name, total))
    return edges


def _vocabulary() -> list[str]:
    words = {w.lower() for question, _ in _samples() for w in re.findall(r"\b[A-Za-z]{3,10}\b", question)}
    plain = words - {"figure", "diagram", "picture", "graph", "image", "passage", "text", "answer", "chart", "plot"}
    return sorted(plain)


def _samples() -> list[tuple[str, str]]:
    """Questions and solutions of the natural-language samples."""
    lines = (DATA / "corpus" / "jiuzhang_cot_sample.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [(row["input"], row["output"]) for row in map(json.loads, lines)]
    questions = [(prompt.removeprefix("## Question\n").partition("\n\n## ")[0], text) for prompt, text in pairs]
    return [(question, text) for question, text in questions if last_boxed(text)]


def _scene(rng: random.Random, vocabulary: list[str]) -> str:
    words = rng.choices(vocabulary, k=rng.randint(14, 30))
    return " ".join(words).capitalize() + "."


def _dressed(question: str) -> str:
    return "  " + question.upper().replace(". ", " ;  ") + " ?"


def _reworded(question: str, rng: random.Random, vocabulary: list[str]) -> str:
    """Replace neighbouring words of the scene so that the similarity comes out between 0.7 and 0.98."""
    scene, end, rest = question.partition(". ")
    words = scene.split(" ")
    runs = len(question_key(question).split(" ")) - 2
    aim = rng.uniform(0.7, 0.95)
    count = min(max(round(runs * (1 - aim) / (1 + aim)) - 2, 1), len(words))
    start = rng.randrange(len(words) - count + 1)
    words[start : start + count] = rng.choices(vocabulary, k=count)
    return " ".join(words) + end + rest


def _problem(id: str, question: str, solution: str, stage: str) -> Generation:
    return _generation(id, format_response(question, solution), stage)


def _generation(id: str, text: str, stage: str) -> Generation:
    return Generation(
        id, content_id("prompt", id), content_id("passage", id), stage, "cot", text, "stop", 100, "planted"
    )
