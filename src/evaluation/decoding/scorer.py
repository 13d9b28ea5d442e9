"""The live reward model: packed passes forward."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from src.core.errors import UserError
from src.core.memory import release
from src.core.threads import use_threads
from src.evaluation.decoding.rewards import Partial, RewardModel, Scores, StepScorer
from src.generation.precision import emulates_bfloat16
from src.modeling.attention import Documents, choose_kernel
from src.modeling.classifier import load_classifier
from src.modeling.loading import load_config, load_model, load_tokenizer
from src.modeling.lowered import move_fewer_bytes
from src.modeling.rows import encode_prompts, encode_responses
from src.modeling.selftest import room

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST = 1 << 20


class PackedScorer(StepScorer):
    """Holds a model until `close`; a call after that is a RuntimeError.

    On a CPU a model that is stored in bfloat16 computes in it where the processor can, as it does on a card: its
    rewards then owe their second digit to what is read beside them. Of SmolLM2-135M a core with AMX reads 663 tokens a
    second so, and 188 in float32, whose rewards differ by 0.01 in the mean and 0.04 at most.
    """

    def __init__(self, options: RewardModel):
        self._options = options
        self._tokenizer = load_tokenizer(options.place)
        config = load_config(options.place)
        self._longest = int(getattr(config.get_text_config(), "max_position_embeddings", LONGEST))
        self._attention = choose_kernel(config, "auto", self._longest)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        on_cpu = self._device.type == "cpu"
        if on_cpu:
            use_threads(options.place)
        dtype = torch.float32 if on_cpu else torch.bfloat16
        self._model: Any = self._load(options.place, dtype).to(self._device).eval()
        self._at_once = room(self._model, options.batch_tokens, self._longest)
        self._lowered = on_cpu and getattr(config, "dtype", None) == torch.bfloat16 and not emulates_bfloat16()
        if self._lowered:
            move_fewer_bytes(self._model)

    def _load(self, place: str, dtype: torch.dtype) -> Any:
        return load_model(place, self._attention, dtype)

    def close(self) -> None:
        if self._model is not None:
            self._model = None
            release()

    @torch.inference_mode()
    def _logits(self, rows: Sequence[tuple[list[int], list[int]]]) -> torch.Tensor:
        """What the model says at each row's places, row after row, in float32: of the tokens that follow, (places,
        vocabulary); or of its classes, (places, classes)."""
        if self._model is None:
            raise RuntimeError("this reward model is closed")
        lengths = [len(row) for row, _ in rows]
        starts = np.cumsum([0, *lengths[:-1]])
        places = np.concatenate([start + np.array(at) for start, (_, at) in zip(starts, rows, strict=True)])
        documents = Documents.of(lengths).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._lowered):
            logits = self._model(
                input_ids=torch.tensor([[t for row, _ in rows for t in row]], device=self._device),
                position_ids=torch.cat([torch.arange(n) for n in lengths])[None].to(self._device),
                logits_to_keep=torch.from_numpy(places).to(self._device),
                use_cache=False,
                **documents.arguments(self._attention),
            ).logits[0]
        return logits.float()


class StepReader(PackedScorer):
    """Reads all steps of a solution at once."""

    @abstractmethod
    def _good(self, logits: torch.Tensor) -> torch.Tensor:
        """The rewards (places,) from what the model says at the places."""

    def score(self, partials: Sequence[Partial]) -> list[Scores]:
        """A step behind the model's last position gets no reward above 0: nothing can be said of it."""
        texts = [
            [self._options.text(p.question, p.steps[: n + 1]) for n in range(p.first, len(p.steps))] for p in partials
        ]
        flat = encode_prompts(self._tokenizer, [text for each in texts for text in each]) if any(texts) else []
        encoded = iter(flat)
        rows = [
            (number, row, places)
            for number, each in enumerate(texts)
            for row, places in _nested(list(islice(encoded, len(each))), self._longest)
        ]
        rewards, read = [[0.0] * len(each) for each in texts], [0] * len(texts)
        for batch in _batches(rows, self._at_once):
            found = self._pass([(row, list(places)) for _, row, places in batch])
            for (number, row, places), values in zip(batch, found, strict=True):
                read[number] += len(row)
                for steps, value in zip(places.values(), values, strict=True):
                    for step in steps:
                        rewards[number][step] = value
        return [Scores(tuple(each), n) for each, n in zip(rewards, read, strict=True)]

    def _pass(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[list[float]]:
        """For each row of tokens the reward at each of its places."""
        good = self._good(self._logits(rows)).tolist()
        ends = np.cumsum([0, *(len(at) for _, at in rows)])
        return [good[start:end] for start, end in pairwise(ends)]


class LabelScorer(StepReader):
    """The probability of the good label, of the two labels."""

    def __init__(self, options: RewardModel):
        super().__init__(options)
        self._labels = label_tokens(self._tokenizer, options)

    def _good(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[:, list(self._labels)].softmax(-1)[:, 0]


class ClassScorer(StepReader):
    """The probability of the second class, of the two classes of a head."""

    def _load(self, place: str, dtype: torch.dtype) -> Any:
        return load_classifier(place, self._attention, dtype, classes=2)

    def _good(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.softmax(-1)[:, 1]


class LikelihoodScorer(PackedScorer):
    """Reads a solution up to each of its steps. What ends a step is no part of it: after its last one a model ends the
    text instead."""

    def score(self, partials: Sequence[Partial]) -> list[Scores]:
        """A step behind the model's last position gets no reward above 0: nothing can be said of it."""
        steps = [(number, n) for number, p in enumerate(partials) for n in range(p.first, len(p.steps))]
        rows = self._encoded([self._before_and_after(partials[number], n) for number, n in steps]) if steps else []
        rewards = [[0.0] * (len(p.steps) - p.first) for p in partials]
        read = [0] * len(partials)
        fit = [(at, row, places) for at, (row, places) in enumerate(rows) if places]
        for batch in _batches(fit, self._at_once):
            found = self._pass([(row, places) for _, row, places in batch])
            for (at, row, _), reward in zip(batch, found, strict=True):
                number, n = steps[at]
                read[number] += len(row)
                rewards[number][n - partials[number].first] = reward
        return [Scores(tuple(each), n) for each, n in zip(rewards, read, strict=True)]

    def _before_and_after(self, partial: Partial, n: int) -> tuple[str, str]:
        before = self._options.text(partial.question, partial.steps[:n])
        return before, before + self._options.step.partition("{step}")[0] + partial.steps[n]

    def _encoded(self, texts: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """Each text's tokens, and the places before those that the step added: none where it is too long. A token that
        joins the step's beginning to what comes before counts."""
        before = encode_prompts(self._tokenizer, [text for text, _ in texts])
        rows = []
        for start, row in zip(before, encode_prompts(self._tokenizer, [text for _, text in texts]), strict=True):
            alike = next((i for i, pair in enumerate(zip(start, row)) if pair[0] != pair[1]), min(len(start), len(row)))
            rows.append((row, list(range(max(alike, 1) - 1, len(row) - 1)) if len(row) <= self._longest else []))
        return rows

    def _pass(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """For each row of tokens the least probability of one that follows its places."""
        targets = torch.tensor([row[place + 1] for row, places in rows for place in places], device=self._device)
        found = self._logits(rows).log_softmax(-1).gather(1, targets[:, None])[:, 0].exp()
        return [float(part.min()) for part in found.split([len(places) for _, places in rows])]


def label_tokens(tokenizer: PreTrainedTokenizerBase, options: RewardModel) -> tuple[int, int]:
    """The labels' tokens, as training sees them behind a step. Raises UserError where a label takes several, or both
    are one."""
    good, bad = encode_responses(tokenizer, list(options.labels))
    if len(good) != 1 or len(bad) != 1 or good == bad:
        raise UserError(
            f"The labels {options.labels[0]!r} and {options.labels[1]!r} are {len(good)} and {len(bad)} tokens of "
            f"{options.model}, and must be one each, not the same.",
            "Give the reward model other labels.",
        )
    return good[0], bad[0]


P = TypeVar("P")  # what is to be read of a row
Places = dict[int, list[int]]  # by place in a row, the steps whose reward is read there


def _nested(texts: Sequence[list[int]], longest: int) -> Iterator[tuple[list[int], Places]]:
    """Rows to read so that the last token of each text of at most `longest` is read after just that text: one that
    begins the next is read with it. A tokenizer may join what a text ends with to what follows: hence the test."""
    row: list[int] = []
    places: Places = {}
    for step, text in enumerate(texts):
        if len(text) > longest:
            break
        if row and text[: len(row)] != row:
            yield row, places
            places = {}
        row = text
        places.setdefault(len(text) - 1, []).append(step)
    if row:
        yield row, places


def _batches(rows: Sequence[tuple[int, list[int], P]], most: int) -> Iterator[list[tuple[int, list[int], P]]]:
    """Rows, each with its tokens in the middle, in groups of at most `most` tokens, or one longer row."""
    batch: list[tuple[int, list[int], P]] = []
    held = 0
    for row in rows:
        if batch and held + len(row[1]) > most:
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += len(row[1])
    if batch:
        yield batch
