"""Benchmarks as data: where the questions lie, which fields hold what, how an answer is read and how long it may be.

Each file of `conf/benchmark/` is one of these components; adding a benchmark is one YAML file.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from src.core.checks import at_least
from src.core.errors import UserError, require
from src.core.fingerprint import file_digest, not_in_key
from src.core.hub import commit
from src.core.records import Example, content_id, seed_from
from src.evaluation.drawn import gym_entries, gym_version
from src.evaluation.prompting import Style, corpus_prompt, with_choices
from src.evaluation.question import LETTERS, Question, named
from src.evaluation.rows import BenchmarkRow, hub_rows, place_of, read_rows
from src.generation.procedural.size import FULL, Size, families_digest
from src.puzzles.chains import chain_gold, puzzle_text
from src.puzzles.expressions import puzzle_gold
from src.text.answers import AnswerType, first_number
from src.text.boxed import last_boxed

if TYPE_CHECKING:
    from src.generation.procedural.family import SolvedProblem

ProceduralSplit = Literal["seen", "unseen", "dev"]
FIELDS = ("question", "answer", "solution", "choices", "stage", "subject")
_CALCULATOR = re.compile(r"<<[^<>\n]*>>")  # GSM8K's notes to a calculator: <<48/2=24>>


@dataclass(frozen=True, kw_only=True)
class Benchmark(ABC):
    """What every benchmark has.

    version: raise it when the questions or the way of asking change; numbers of two versions do not compare.
    style, shots: None takes the evaluation's own; `exemplars`: the worked examples of few-shot prompts.
    max_tokens: a longer answer is cut; stop: strings that end one, besides those of the style.
    limit: a sample of that many questions, the same everywhere; every: each n-th question only.
    published: how many questions its publishers count, for a plan.
    """

    version: int = 1
    answer_type: AnswerType = "math"
    style: Style | None = None
    exemplars: Literal["word_problems", "mathematics", "choice"] = "word_problems"
    shots: int | None = None
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    limit: int | None = None
    every: int = 1
    published: int | None = field(default=None, metadata=not_in_key("how many questions to expect, for a plan"))

    generated: ClassVar[bool] = False  # templates make its questions: they share wordings with whatever else they make

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        at_least(self, 0, "shots")
        at_least(self, 1, "max_tokens", "limit", "every", "published")

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the questions come from, for people."""

    @abstractmethod
    def all_questions(self) -> Iterable[Question]:
        """Every question, in order; ids are given later."""

    def questions(self) -> list[Question]:
        """The questions to ask. Raises UserError for a missing split, a renamed field, an empty file, a null answer."""
        questions = named(self.all_questions())[:: self.every]
        if not questions:
            raise UserError(f"{self.source} holds no question.", "Give it another file or split.")
        if self.limit is None or self.limit >= len(questions):
            return questions
        chosen = {q.id for q in sorted(questions, key=lambda q: content_id("sample", q.id))[: self.limit]}
        return [q for q in questions if q.id in chosen]

    def size_hint(self) -> int:
        """About how many questions are asked, known without reading any (0: unknown)."""
        left = -(-self.published // self.every) if self.published else None
        return min((bound for bound in (left, self.limit) if bound), default=0)

    def unasked_stages(self) -> Sequence[str]:
        """Education stages that the options ask for and of which there is no question."""
        return ()

    def dev_examples(self) -> Iterator[Example]:
        """Worked problems of the benchmark's *training or dev* part, as pre-training rows. Never its test questions.

        Raises UserError where the benchmark has no such part.
        """
        for question in self.dev_questions():
            prompt = corpus_prompt(with_choices(question.text, question.choices))
            response = question.solution or f"The answer is $\\boxed{{{question.gold}}}$."
            yield Example(content_id(self.source, prompt, response), self.source, prompt, response)

    def check_dev(self) -> None:
        """Raises UserError where the benchmark has no training or dev part, without reading it."""
        if type(self).dev_questions is Benchmark.dev_questions:
            self.dev_questions()

    def dev_questions(self) -> Iterable[Question]:
        """The questions behind `dev_examples`."""
        raise UserError(f"{self.source} has no training or dev part.", "Choose another benchmark as target.")


@dataclass(frozen=True, kw_only=True)
class ProceduralBenchmark(Benchmark):
    """Problems of the offline teacher that no training run sees, as many of each education stage as of any other.

    split: "seen" has families of the training data with held-out numbers and names, "unseen" has families that no
    training data holds, "dev" is for tuning and for influence targets. size: which corner of the families' space. A
    stage that holds too few problems for its part is a UserError, one without a family of the fields is left out.
    """

    split: ProceduralSplit
    n: int = 400
    seed: int = 0
    size: Size = FULL
    max_tokens: int = 256

    generated: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "n")

    @property
    def source(self) -> str:
        return f"procedural problems ({self.split})"

    def identity(self) -> dict[str, str]:
        """The families' text. Asked before anything runs, so it also says whether there are enough problems."""
        self._draw(self.split)
        return {"families": families_digest()}

    def size_hint(self) -> int:
        return min(self.n // self.every, self.limit or self.n)

    def unasked_stages(self) -> Sequence[str]:
        return self.size.unasked("unseen" if self.split == "unseen" else "seen")

    def all_questions(self) -> Iterator[Question]:
        return self._questions(self.split)

    def dev_questions(self) -> Iterator[Question]:
        return self._questions("dev")

    def check_dev(self) -> None:
        """Raises UserError where there are too few problems for dev."""
        self._draw("dev")

    def _questions(self, split: ProceduralSplit) -> Iterator[Question]:
        for problem in self._draw(split):
            yield Question(problem.question, problem.answer, problem.stage, problem.family, solution=problem.solution)

    def _draw(self, split: ProceduralSplit) -> Sequence[SolvedProblem]:
        return _procedural(split, self.n, self.seed, self.size)


@lru_cache(16)
def _procedural(split: ProceduralSplit, n: int, seed: int, size: Size) -> Sequence[SolvedProblem]:
    from src.generation.procedural.sets import held_out_problems, training_problems

    if split == "dev":
        return tuple(training_problems(n, seed, split="dev", size=size))
    return tuple(held_out_problems(split, n, seed, size=size))


@dataclass(frozen=True, kw_only=True)
class ReasoningGym(Benchmark):
    """A data set of the package `reasoning-gym`: written by others, drawn by seed, no network needed.

    `options` go to the data set's own configuration. With the answer type "chain" a puzzle is asked in symbols.
    The dev part is another draw, without the test questions.
    """

    dataset: str
    size: int = 200
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    answer_type: AnswerType = "number"
    max_tokens: int = 256

    generated: ClassVar[bool] = True
    PACKAGE: ClassVar[str] = "reasoning_gym"

    @property
    def source(self) -> str:
        return f"reasoning-gym {self.dataset}"

    def identity(self) -> dict[str, str]:
        """The package's version: another one may draw other questions."""
        require(self.PACKAGE, f"the benchmark {self.source}")
        return {"reasoning-gym": gym_version()}

    def size_hint(self) -> int:
        return min(self.size // self.every, self.limit or self.size)

    def all_questions(self) -> Iterator[Question]:
        return self._draw(self.seed)

    def dev_questions(self) -> Iterator[Question]:
        tested = {question.text for question in self._draw(self.seed)}
        return (q for q in self._draw(seed_from("dev", self.seed)) if q.text not in tested)

    def _draw(self, seed: int) -> Iterator[Question]:
        require(self.PACKAGE, f"the benchmark {self.source}")
        try:
            entries = gym_entries(self.dataset, self.size, seed, json.dumps(dict(self.options), sort_keys=True))
        except (ValueError, TypeError, AssertionError) as error:
            raise UserError(f"{self.source} cannot be made: {error}", "Check `dataset` and `options`.") from error
        return map(self._question, entries)

    def _question(self, entry: dict[str, Any]) -> Question:
        answer = entry["answer"]
        solution = f"The answer is $\\boxed{{{answer}}}$."
        if self.answer_type in ("puzzle", "chain"):
            numbers, target = entry["numbers"], entry.get("target", 24)
            if self.answer_type == "chain":
                return Question(puzzle_text(numbers, target), chain_gold(numbers, target, exact=True))
            answer = puzzle_gold(target, numbers)
        elif worked := entry.get("answer_cot"):
            solution = boxed_at_end(worked)
        return Question(entry["question"].strip(), answer, solution=solution)


@dataclass(frozen=True, kw_only=True)
class TableBenchmark(Benchmark):
    """Questions in rows. `fields` maps our names to the row's: question, answer, solution, choices, stage, subject.

    A value with braces is a template over the row ("{Body} {Question}"), else the name of one field.
    answer_from: how the gold answer lies in its field: as it is, in the last box, after "####", or as its first number.
        Where the field is a list, each of its members is asked for.
    keep: only rows whose fields have these values.
    """

    fields: dict[str, str]
    answer_from: Literal["field", "boxed", "hashes", "number"] = "field"
    keep: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := sorted(set(self.fields) - set(FIELDS)):
            raise ValueError(f"fields has no {', '.join(unknown)}; it takes {', '.join(FIELDS)}")
        if missing := [name for name in ("question", "answer") if name not in self.fields]:
            raise ValueError(f"fields needs {' and '.join(missing)}")

    @abstractmethod
    def rows(self) -> Iterator[BenchmarkRow]:
        """The rows of the test part."""

    @abstractmethod
    def dev_rows(self) -> Iterator[BenchmarkRow]:
        """The rows of the training or dev part."""

    def all_questions(self) -> Iterator[Question]:
        return map(self._question, filter(self._kept, self.rows()))

    def dev_questions(self) -> Iterator[Question]:
        return map(self._question, filter(self._kept, self.dev_rows()))

    def _kept(self, row: BenchmarkRow) -> bool:
        return all(row.text(name) == str(value) for name, value in self.keep.items())

    def _question(self, row: BenchmarkRow) -> Question:
        choices = row.strings(self.fields["choices"]) if "choices" in self.fields else None
        if choices and len(choices) > len(LETTERS):
            raise row.error(f"there are {len(choices)} choices, and {len(LETTERS)} letters", "Leave the row out.")
        stage, subject = (row.text(self.fields[k]) if k in self.fields else "" for k in ("stage", "subject"))
        worked = row.text(self.fields["solution"]) if "solution" in self.fields else None
        return Question(
            text=row.text(self.fields["question"]),
            gold=self._gold(row, choices),
            stage=stage,
            subject=subject,
            choices=tuple(re.sub(rf"^\(?{LETTERS[i]}[).:]\s*", "", c) for i, c in enumerate(choices or ())) or None,
            solution=boxed_at_end(worked) if worked else None,
        )

    def _gold(self, row: BenchmarkRow, choices: list[str] | None) -> str:
        name = self.fields["answer"]
        if self.answer_type == "choice":
            return _letter(row, name, choices)
        golds = [self._answer_in(text) for text in row.texts(name)]
        if not all(golds):
            raise row.error(f"no answer can be read from the field '{name}'", "Check `answer_from`, or mend the row.")
        return ", ".join(gold for gold in golds if gold)  # all of several, as a list

    def _answer_in(self, text: str) -> str | None:
        match self.answer_from:
            case "boxed":
                return last_boxed(text)
            case "hashes":
                return text.rpartition("####")[2].strip() if "####" in text else None
            case "number":
                return first_number(text)
        return text


def _letter(row: BenchmarkRow, name: str, choices: list[str] | None) -> str:
    """A choice's letter, from the letter itself or from the index of the choice (0 is A)."""
    value = row.value(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices or LETTERS):
        return LETTERS[value]
    letter = str(value).strip().strip("().").upper()
    if len(letter) == 1 and letter in LETTERS[: len(choices or LETTERS)]:
        return letter
    raise row.error(f"the field '{name}' is {value!r}, which names none of the choices", "Mend the row.")


def boxed_at_end(solution: str) -> str:
    r"""A worked solution in the corpus's way: GSM8K's "#### 5" becomes a sentence with a box, its notes go."""
    text = _CALCULATOR.sub("", solution).strip()
    steps, marker, answer = text.rpartition("####")
    return f"{steps.strip()}\nThe answer is $\\boxed{{{answer.strip()}}}$." if marker else text


@dataclass(frozen=True, kw_only=True)
class FileBenchmark(TableBenchmark):
    """A local `.jsonl`, `.json` or `.parquet` file; `dev_path` is its training or dev part.

    Paths are relative to `benchmark_dir`, where that is set. origin: where a published file is to be had.
    """

    path: str
    dev_path: str | None = None
    origin: str = ""
    benchmark_dir: str | None = field(
        default=None, metadata=not_in_key("where local copies lie; their content is in identity()")
    )

    @property
    def source(self) -> str:
        return Path(self.path).name

    def identity(self) -> dict[str, str]:
        return {"sha256": file_digest(self._file(self.path))}

    def rows(self) -> Iterator[BenchmarkRow]:
        return read_rows(self._file(self.path))

    def dev_rows(self) -> Iterator[BenchmarkRow]:
        if self.dev_path is None:
            raise UserError(f"{self.source} has no training or dev part.", "Set its `dev_path`.")
        return read_rows(self._file(self.dev_path))

    def check_dev(self) -> None:
        if self.dev_path is None:
            raise UserError(f"{self.source} has no training or dev part.", "Set its `dev_path`.")
        file_digest(self._file(self.dev_path))

    def _file(self, path: str) -> Path:
        return place_of(self.benchmark_dir, path, self.origin)


@dataclass(frozen=True, kw_only=True)
class HubBenchmark(TableBenchmark):
    """A data set of the Hugging Face hub, or its copy in a local folder.

    benchmark_dir: when set, the file `file` (dev part: `dev_file`) of this folder is read and the hub is left alone.
    revision: pins the hub's copy; two runs with another copy of the questions must not look alike.
    """

    repo: str
    subset: str | None = None
    split: str = "test"
    dev_split: str | None = None
    revision: str | None = None
    benchmark_dir: str | None = field(
        default=None, metadata=not_in_key("where local copies lie; their content is in identity()")
    )
    file: str = ""
    dev_file: str = ""

    @property
    def source(self) -> str:
        return "/".join(filter(None, (self.repo, self.subset)))

    def pinned(self) -> HubBenchmark:
        """The same questions at the commit where their revision is now. Raises UserError where nobody knows."""
        if self.benchmark_dir:
            return self
        copy = "put a copy of its file into a folder and add benchmark_dir=FOLDER"
        return replace(self, revision=commit(self.repo, "dataset", self.revision, instead=copy, copy=self.file))

    def check_dev(self) -> None:
        if self.dev_split is None or (self.benchmark_dir and not self.dev_file):
            raise UserError(f"{self.source} has no training or dev part here.", "Choose another benchmark as target.")

    def identity(self) -> dict[str, str]:
        """The digest of the local copy, where one is used: so its folder's name does not matter."""
        return {"sha256": file_digest(self._local(self.file))} if self.benchmark_dir else {}

    def rows(self) -> Iterator[BenchmarkRow]:
        if self.benchmark_dir:
            return read_rows(self._local(self.file))
        return hub_rows(self.repo, self.subset, self.split, self.revision)

    def dev_rows(self) -> Iterator[BenchmarkRow]:
        if self.benchmark_dir and self.dev_file:
            return read_rows(self._local(self.dev_file))
        if self.dev_split is None or self.benchmark_dir:
            raise UserError(f"{self.source} has no training or dev part here.", "Choose another benchmark as target.")
        return hub_rows(self.repo, self.subset, self.dev_split, self.revision)

    def _local(self, file: str) -> Path:
        return place_of(self.benchmark_dir, file, f"https://huggingface.co/datasets/{self.repo}")
