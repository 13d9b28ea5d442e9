"""What a selector is: something that ranks candidates, and a rule that says which of them are taken.

A candidate is an `Example` in the pre-training format whose id is its prompt's id: choosing it means that the prompt
goes to the teacher. Every selector with the same rule takes the same number, so that the arms of a study spend the
same number of teacher calls.

A new selector is a file here and an option in `conf/selector/`: a frozen dataclass that derives from `Selector` and
says in `rank` what each candidate is worth. Rules, quotas, counts and the report come with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.progress import Progress
from src.core.records import Example
from src.modeling.flops import FORWARD, gpu_hours
from src.modeling.shape import Shape
from src.modeling.trainer import Trainer
from src.selection.ranking import OVERALL, Ranking

RULES = ("fraction", "top_k", "threshold", "quota", "max_similarity")
"""The options that say what is taken, given the scores: a sweep over them asks for the same scores."""

Grouping = Literal["stage", "source", "kind"]


@runtime_checkable
class Target(Protocol):
    """What candidates are compared with: a benchmark that can show examples of its training or dev split."""

    def dev_examples(self) -> Iterator[Example]:
        """Worked examples in the pre-training format, never of the test split. `UserError` when there are none."""
        ...


@dataclass(frozen=True)
class Reference:
    """What a selector may use besides the candidates.

    model: the reference model, a Hugging Face folder. work: survives a kill, deleted at the end of the stage. cache:
    shared by all runs, for things keyed by their content. trainer: where a model runs. workers: processes that may
    share the candidates out. seed: of whatever is trained. log(values, step): curves.
    """

    model: Path
    work: Path
    cache: Path
    trainer: Trainer = field(default_factory=Trainer)
    workers: int = 1
    seed: int = 0
    log: Callable[[Mapping[str, float], int], None] = lambda values, step: None
    progress: Callable[..., Progress] = Progress


@dataclass(frozen=True, kw_only=True)
class Selector(ABC):
    """Subclasses are frozen dataclasses of options. Exactly one of the first three is set:

    fraction: this share of all candidate prompts, rounded, parsable or not: the teacher's bill does not depend on how
    well the synthesizer writes. top_k: this many. threshold: every candidate whose overall score is at least this.

    quota: how the number is shared out among stages, sources or kinds: "equal" parts, parts as in the "pool", or a
    weight by name. max_similarity: of two candidates whose vectors have a cosine above this, the worse waits until
    nothing else is left. See `src.selection.rules`.
    """

    has_vectors: ClassVar[bool] = False
    reads_model: ClassVar[bool] = True  # False: it needs no reference model, and where rows are one's own none is made

    fraction: float | None = None
    top_k: int | None = None
    threshold: float | None = None
    quota: dict[Grouping, Literal["equal", "pool"] | dict[str, float]] | None = None
    max_similarity: float | None = None

    def __post_init__(self) -> None:
        rules = {"fraction": self.fraction, "top_k": self.top_k, "threshold": self.threshold}
        given = [name for name, value in rules.items() if value is not None]
        if len(given) != 1:
            mend = f"; null takes one away: {given[0]}=null" if given else ""
            raise ValueError(
                f"set exactly one of fraction, top_k and threshold, not {' and '.join(given) or 'none'}{mend}"
            )
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], not {self.fraction}")
        at_least(self, 1, "top_k")
        self._check_quota()
        if self.max_similarity is not None:
            if not 0 < self.max_similarity < 1:
                raise ValueError(f"max_similarity must lie in (0, 1), not {self.max_similarity}")
            if not self.has_vectors:
                raise ValueError(f"the selector {type(self).__name__} has no vectors for max_similarity to compare")

    def _check_quota(self) -> None:
        if self.quota and self.threshold is not None:
            raise ValueError("a quota shares out a number: set fraction or top_k with it, not threshold")
        for by, parts in (self.quota or {}).items():
            if by not in get_args(Grouping):
                raise ValueError(f"quota shares out by {', '.join(get_args(Grouping))}, not by {by}")
            if isinstance(parts, dict) and (not parts or min(parts.values()) < 0 or not any(parts.values())):
                raise ValueError(f"quota.{by} must be weights by name, none below 0 and not all 0, not {parts}")

    @abstractmethod
    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        """Score the candidates, given in the order of the corpus. The result must not depend on that order, unless
        the order is what the selector ranks by. There may be millions: see `src.selection.candidates`."""

    def estimate(self, size: Shape, trainer: Trainer, tokens: float) -> dict[str, float]:
        """What ranking candidates of so many tokens costs with a reference model of this size, for `plan=true`."""
        return {}

    def wanted(self, prompts: int) -> int | None:
        """How many prompts of so many are taken; None when the scores decide (threshold)."""
        if self.threshold is not None:
            return None
        return min(prompts, self.top_k if self.top_k is not None else max(1, round((self.fraction or 0) * prompts)))


@dataclass(frozen=True, kw_only=True)
class Targeted(Selector):
    """A selector that compares candidates with target tasks.

    targets: benchmarks by name; at most `target_rows` of the training or dev examples of each.
    """

    targets: dict[str, Any]
    target_rows: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.targets:
            raise ValueError("targets is empty: name at least one benchmark to compare with")
        if OVERALL in self.targets:
            raise ValueError(f"a target cannot be named {OVERALL}: that is what the score over all targets is called")
        for name, target in self.targets.items():
            if not isinstance(target, Target):
                raise ValueError(f"target '{name}' is no benchmark with dev examples, but a {type(target).__name__}")
            _refuse_test_split(name, target)
        at_least(self, 1, "target_rows")

    def preflight(self) -> None:
        """Raises UserError for a target without a training or dev part."""
        for target in self.targets.values():
            if hasattr(target, "check_dev"):
                target.check_dev()

    def target_examples(self) -> dict[str, list[Example]]:
        """By target, its first examples by id. `UserError` for one that has none."""
        return {name: self._first(name, target) for name, target in self.targets.items()}

    def _first(self, name: str, target: Target) -> list[Example]:
        try:
            examples = sorted(target.dev_examples(), key=lambda example: example.id)[: self.target_rows]
        except UserError as error:
            raise UserError(f"The target '{name}' cannot be used: {error.problem}", error.mend) from None
        if not examples:
            raise UserError(
                f"The target '{name}' has no training or dev examples to compare candidates with.",
                "Remove it from selector.targets, or give the benchmark a dev split; a test split is never used.",
            )
        return examples


@dataclass(frozen=True, kw_only=True)
class ByModel(Selector):
    """A selector that has the reference model read each text.

    max_length: tokens to which texts are cut. batch_rows: so many rows of that length in one pass.
    """

    max_length: int = 2048
    batch_rows: int = field(default=8, metadata=not_in_key("how many rows are computed at once"))

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "max_length", "batch_rows")

    def estimate(self, size: Shape, trainer: Trainer, tokens: float) -> dict[str, float]:
        hours = {"gpu_hours": gpu_hours(size.working_parameters, tokens, FORWARD)} if trainer.device == "cuda" else {}
        return {"tokens": tokens, **hours}


def nothing_to_read(target: str, option: str, tokens: int) -> UserError:
    """Of a target none of whose examples has a response within the option's so many tokens."""
    return UserError(
        f"No example of target '{target}' has a response within selector.{option}={tokens} tokens.",
        "Raise it, or choose a target with shorter questions.",
    )


def none_usable(skipped: Mapping[str, str], what: str, mend: str) -> UserError:
    """Of candidates none of which has what is compared (a gradient, a state). skipped: by id, the reason."""
    reasons = ", ".join(f"{n} x {reason}" for reason, n in sorted(Counter(skipped.values()).items()))
    return UserError(f"None of the {len(skipped)} candidates has a usable {what}: {reasons}.", mend)


def _refuse_test_split(name: str, target: Target) -> None:
    """A benchmark file can declare its test questions to be its dev part; scores on it would then be worth nothing."""
    for asked, shown in (("split", "dev_split"), ("path", "dev_path"), ("file", "dev_file")):
        value = getattr(target, shown, None)
        if value and value in ("test", getattr(target, asked, None)):
            raise ValueError(
                f"target '{name}' would choose by its own test questions ({shown}: {value}): give it a training or dev "
                "part, or leave it out"
            )
