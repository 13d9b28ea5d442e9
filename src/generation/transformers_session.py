"""The live engine of plain transformers: batches of texts, each with a random stream of its own.

All texts of a batch are written on the device, a token each a step; once a step the device tells which may have ended,
and those alone are decoded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import torch

from src.core.console import quiet_transformers
from src.core.errors import UserError
from src.core.memory import release
from src.core.threads import use_threads
from src.generation.base import Completion, Request, Sampling, Session, refused
from src.generation.decoding_cache import FIRST_ROOM, SPARE, attend_in_groups, cache_bytes, roomy_cache
from src.generation.precision import on_cpu
from src.generation.stop_strings import completing, cut
from src.generation.token_choice import choose_tokens

if TYPE_CHECKING:
    from src.generation.transformers import TransformersGenerator

UNLIMITED = 1 << 30
BATCHES_SORTED = 4  # batches of requests are read at once and sorted by length, so that few places are padding
ENDED_SHARE = 1 / 8  # of a batch: when so many of its texts have ended, their places are given up
MEMORY_SHARE = 0.6  # of what is free on a GPU once the model is there, for keys and values
HOST_MEMORY = 1 << 30  # bytes for keys and values where a CPU writes
DRAWING = 40  # bytes for each word of the vocabulary while a text's next token is drawn


@dataclass(frozen=True)
class _Text:
    """A text to be written."""

    request: Request
    prompt: list[int]
    limit: int


class _Batch:
    """Texts that are written together, and where they are: tensors of one row a text, on the device.

    prompts: (distinct prompts, places), padded on the left with their first tokens: each is read once, however many
    texts go on from it. prompt_of: (texts,), the row of each text's own. tokens: (texts, places), the prompts of all.
    mask: (texts, places so far). written: (texts, most that one may write). kinds: which row of `may_end` holds for
    each text. live: the rows of texts that have not ended.
    """

    def __init__(self, texts: Sequence[_Text], device: torch.device):
        self.texts = list(texts)
        self.live = set(range(len(texts)))
        width = max(len(text.prompt) for text in texts)
        row_of = {prompt: row for row, prompt in enumerate(dict.fromkeys(tuple(text.prompt) for text in texts))}
        gaps = [width - len(prompt) for prompt in row_of]
        padded = [[*prompt[:1] * gap, *prompt] for gap, prompt in zip(gaps, row_of, strict=True)]
        self.prompts = torch.tensor(padded).to(device)
        self.prompts_mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in gaps]).to(device)
        self.prompt_of = torch.tensor([row_of[tuple(text.prompt)] for text in texts]).to(device)
        self.tokens, self.mask = self.prompts[self.prompt_of], self.prompts_mask[self.prompt_of]
        self.limits = torch.tensor([text.limit for text in texts]).to(device)
        self.seeds = torch.tensor([text.request.seed for text in texts]).to(device)
        self.written = self.tokens.new_zeros(len(texts), max(text.limit for text in texts))
        self.stops = list(dict.fromkeys(text.request.sampling.stop for text in texts))
        self.kinds = torch.tensor([self.stops.index(text.request.sampling.stop) for text in texts]).to(device)
        self._group()

    def _group(self) -> None:
        """By sampling, the rows drawn by it; None: all of them."""
        alike: dict[Sampling, list[int]] = {}
        for row, text in enumerate(self.texts):
            alike.setdefault(replace(text.request.sampling, max_tokens=1, stop=()), []).append(row)
        device = self.tokens.device
        self.groups = [
            (sampling, None if len(alike) == 1 else torch.tensor(rows).to(device)) for sampling, rows in alike.items()
        ]

    def choose_tokens(self, logits: torch.Tensor, place: int) -> torch.Tensor:
        """Choose the next token of each text from `logits`, (texts, vocabulary), write it down and return them."""
        chosen = self.written[:, place]
        for sampling, rows in self.groups:
            mine = slice(None) if rows is None else rows
            seen = self.tokens[mine]
            if sampling.repetition_penalty != 1:
                seen = torch.cat([seen, self.written[mine, :place]], dim=1)
            chosen[mine] = choose_tokens(logits[mine], seen, sampling, self.seeds[mine], place)
        return chosen

    def perhaps_ended(self, may_end: torch.Tensor, place: int) -> list[tuple[int, list[int]]]:
        """The rows of texts that may have ended with their last token, and all that these have written.

        may_end: (kinds, vocabulary), bool: the tokens that may end a text."""
        written = place + 1
        rows = torch.nonzero(may_end[self.kinds, self.written[:, place]] | (self.limits <= written))[:, 0]
        found = torch.cat([rows[:, None], self.written[rows, :written]], dim=1).tolist()
        return [(row, tokens) for row, *tokens in found if row in self.live]

    def keep_live(self, cache: Any) -> None:
        """Give up the places of texts that have ended, here and in the cache."""
        rows = sorted(self.live)
        kept = torch.tensor(rows).to(self.tokens.device)
        cache.batch_select_indices(kept)
        for name in ("tokens", "mask", "limits", "seeds", "written", "kinds"):
            setattr(self, name, getattr(self, name)[kept])
        self.texts, self.live = [self.texts[row] for row in rows], set(range(len(rows)))
        self._group()


class TransformersSession(Session):
    """Holds a model until `close`."""

    def __init__(self, options: TransformersGenerator, model: str):
        self._device = _device(options.device)
        self._batch_size = options.batch
        if self._device.type == "cpu":
            use_threads(model)
        self._model, self._tokenizer = _load(model, options.dtype, self._device)
        attend_in_groups(self._model)
        longest = getattr(self._model.config.get_text_config(), "max_position_embeddings", UNLIMITED)
        self._longest = min(options.max_model_len or longest, longest)
        self._ends = _end_tokens(self._model, self._tokenizer)
        self._may_end: dict[tuple[str, ...], torch.Tensor] = {}
        self._room = _room(self._model, self._device)
        asks = inspect.signature(self._model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in asks else {}

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        source = iter(requests)
        while window := list(islice(source, BATCHES_SORTED * self._batch_size)):
            fit = []
            prompts = self._tokenizer([request.prompt for request in window], verbose=False)["input_ids"]
            for request, tokens in zip(window, prompts, strict=True):
                if problem := refused(len(tokens), self._longest):
                    yield Completion(request.id, "", "error", len(tokens), error=problem)
                else:
                    limit = min(request.sampling.max_tokens, self._longest - len(tokens))
                    fit.append(_Text(request, tokens, limit))
            for batch in self._batches(fit):
                yield from self._write(_Batch(batch, self._device))

    def close(self) -> None:
        del self._model
        release()

    def _batches(self, texts: list[_Text]) -> Iterator[list[_Text]]:
        """Texts of similar length, longest prompts first and those of one prompt together: as many as `batch_size` and
        the device's memory allow."""
        texts = sorted(texts, key=lambda text: (-len(text.prompt), text.prompt))
        while texts:
            new = max(FIRST_ROOM, *(text.limit for text in texts[: self._batch_size]))
            n = max(1, min(self._batch_size, self._room(len(texts[0].prompt) + new)))
            yield texts[:n]
            texts = texts[n:]

    @torch.inference_mode()
    def _step(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        """Logits (texts, vocabulary) of the next tokens. `tokens`: (texts, new); `mask`: (texts, all so far)."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self._model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            **self._last_only,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    @torch.inference_mode()
    def _write(self, batch: _Batch) -> Iterator[Completion]:
        cache = roomy_cache(self._model.config)
        logits = self._step(batch.prompts, batch.prompts_mask, cache)
        if len(batch.prompts) < len(batch.texts):
            logits = logits[batch.prompt_of]
            cache.batch_select_indices(batch.prompt_of)
        may_end = torch.stack([self._ending(stops, logits.shape[-1]) for stops in batch.stops])
        for place in count():
            batch.choose_tokens(logits, place)
            for row, tokens in batch.perhaps_ended(may_end, place):
                if completion := self._end(batch.texts[row], tokens):
                    batch.live.remove(row)
                    yield completion
            if not batch.live:
                return
            if len(batch.live) <= (1 - ENDED_SHARE) * len(batch.texts):
                batch.keep_live(cache)
            batch.mask = torch.cat([batch.mask, batch.mask.new_ones(len(batch.texts), 1)], dim=1)
            logits = self._step(batch.written[:, place, None], batch.mask, cache)

    def _ending(self, stops: tuple[str, ...], vocabulary: int) -> torch.Tensor:
        """(vocabulary,), bool: the tokens that may end a text with these stop strings."""
        if stops not in self._may_end:
            table = completing(self._tokenizer, stops, vocabulary)
            table[[end for end in sorted(self._ends) if end < vocabulary]] = True
            self._may_end[stops] = table.to(self._device)
        return self._may_end[stops]

    def _end(self, text: _Text, tokens: list[int]) -> Completion | None:
        """The completion, if the last of the tokens that were written ended the text."""
        ended = tokens[-1] in self._ends
        written = self._tokenizer.decode(tokens[:-1] if ended else tokens, skip_special_tokens=True)
        stopped = cut(written, text.request.sampling.stop)
        if stopped is None and not ended and len(tokens) < text.limit:
            return None
        reason = "stop" if ended or stopped else "length"
        words, stop = stopped or (written, None)
        return Completion(text.request.id, words, reason, len(text.prompt), len(tokens), stopped_at=stop)


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _load(name: str, dtype: str, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_transformers()
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        dtype = on_cpu(dtype) if device.type == "cpu" else dtype
        model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise UserError(
            f"transformers could not load the model {name}: {str(error).strip() or type(error).__name__}",
            "Does the folder hold a whole model with its tokenizer?",
        ) from error
    return model.to(device).eval(), tokenizer


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """What the model's own settings and its tokenizer call the end of a text."""
    of_model = model.generation_config.eos_token_id
    ends = of_model if isinstance(of_model, list) else [of_model]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}


def _room(model: Any, device: torch.device) -> Callable[[int], int]:
    """How many texts of so many tokens each are written at a time."""
    memory = int(MEMORY_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else HOST_MEMORY
    a_token = cache_bytes(model.config, model.dtype.itemsize) * SPARE
    a_draw = DRAWING * model.config.get_text_config().vocab_size
    return lambda tokens: int(memory / (tokens * a_token + a_draw))
