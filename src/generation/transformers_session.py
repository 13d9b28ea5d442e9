"""The live engine of plain transformers: many texts at a time, each with a random stream of its own.

All of them are written on the device, a token each a step; once a step the device tells which may have ended, and those
alone are decoded. Others begin where they have ended.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from src.core.console import quiet_transformers
from src.core.errors import UserError
from src.core.memory import release
from src.core.threads import use_threads
from src.generation.base import Completion, Request, Session, refused
from src.generation.decoding_cache import FIRST_ROOM, SPARE, attend_in_groups, cache_bytes, takes_others
from src.generation.precision import on_cpu
from src.generation.prefixes import PromptReader
from src.generation.running_batch import RunningBatch, Text
from src.generation.stop_strings import completing, cut

if TYPE_CHECKING:
    from src.generation.transformers import TransformersGenerator

UNLIMITED = 1 << 30
BATCHES_SORTED = 4  # batches of requests are read at once and sorted by length, so that few places are padding
MEMORY_SHARE = 0.6  # of what is free on a GPU once the model is there, for keys and values
HOST_MEMORY = 1 << 30  # bytes for keys and values where a CPU writes
PROMPT_SHARE = 1 / 4  # of that, beside it, for prompts that were read lately: others may begin as they do
DRAWING = 40  # bytes for each word of the vocabulary while a text's next token is drawn


class _Intake:
    """The texts that wait to be written.

    read(n): the next requests, `n` of them or what the source likes; none where there is none now. room(tokens): how
    many texts of so many tokens each are written at a time, and at most `at_once`.
    """

    def __init__(
        self,
        read: Callable[[int], Sequence[Request]],
        tokenizer: Any,
        longest: int,
        room: Callable[[int], int],
        at_once: int,
    ):
        self._read, self._tokenizer, self._longest = read, tokenizer, longest
        self._room, self._at_once = room, at_once
        self._waiting: deque[Text] = deque()
        self._refused: list[Completion] = []

    def take(self, running: Sequence[Text]) -> list[Text]:
        """The next texts to be written beside those that run: longest prompts first and those of one prompt together.
        One at least, where one waits and none runs."""
        if not self._waiting and len(running) < self._at_once:
            self._fill(self._at_once - len(running))
        taken: list[Text] = []
        longest = max((text.longest for text in running), default=0)
        while self._waiting:
            count, longest = len(running) + len(taken) + 1, max(longest, self._waiting[0].longest)
            if count > 1 and count > min(self._at_once, self._room(max(longest, FIRST_ROOM))):
                break
            taken.append(self._waiting.popleft())
        return taken

    def refusals(self) -> list[Completion]:
        """What cannot be written, of all that was read since the last call."""
        refusals, self._refused = self._refused, []
        return refusals

    def _fill(self, count: int) -> None:
        requests = self._read(count)
        distinct = list(dict.fromkeys(request.prompt for request in requests))
        read = self._tokenizer(distinct, verbose=False)["input_ids"] if distinct else []
        tokens_of = {prompt: tuple(tokens) for prompt, tokens in zip(distinct, read, strict=True)}
        fit = []
        for request in requests:
            tokens = tokens_of[request.prompt]
            if problem := refused(len(tokens), self._longest):
                self._refused.append(Completion(request.id, "", "error", len(tokens), error=problem))
            else:
                fit.append(Text(request, tokens, min(request.sampling.max_tokens, self._longest - len(tokens))))
        self._waiting.extend(sorted(fit, key=lambda text: (-len(text.prompt), text.prompt)))


class TransformersSession(Session):
    """Holds a model until `close`; a call after that is a RuntimeError."""

    def __init__(self, options: TransformersGenerator, model: str):
        self._device = _device(options.device)
        self._batch_size = options.batch
        if self._device.type == "cpu":
            use_threads(model)
        self._model: Any
        self._model, self._tokenizer = _load(model, options.dtype, self._device)
        attend_in_groups(self._model)
        longest = getattr(self._model.config.get_text_config(), "max_position_embeddings", UNLIMITED)
        self._longest = min(options.max_model_len or longest, longest)
        _settle_frequencies(self._model, self._longest)
        self._ends = _end_tokens(self._model, self._tokenizer)
        self._endings: dict[tuple[str, ...], torch.Tensor] = {}
        memory = _memory(self._device)
        self._room = _room(self._model, memory)
        self._reader: Any = PromptReader(self._step, self._model.config, self._device, int(PROMPT_SHARE * memory))
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in _arguments(self._model) else {}

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        source = iter(requests)
        return self._run(lambda room: list(islice(source, BATCHES_SORTED * self._batch_size)))

    def converse(self, ready: Callable[[int], list[Request]]) -> Iterator[Completion]:
        return self._run(ready)

    def forget_prompts(self) -> None:
        """Give up what is held of prompts that were read."""
        self._check_open()
        self._reader.forget()

    def close(self) -> None:
        if self._model is not None:
            self._model = self._reader = None
            release()

    def _check_open(self) -> None:
        if self._model is None:
            raise RuntimeError("this transformers session is closed")

    def _run(self, read: Callable[[int], Sequence[Request]]) -> Iterator[Completion]:
        """Write what `read(room)` gives, until it gives nothing and nothing runs."""
        intake = _Intake(read, self._tokenizer, self._longest, self._room, self._batch_size)
        batch: RunningBatch | None = None
        while True:
            self._check_open()
            refusals: list[Completion] = []
            if batch is None or (batch.has_room and takes_others(batch.cache)):
                if texts := intake.take(batch.live if batch else ()):
                    batch = self._begin(texts, batch)
                refusals = intake.refusals()
                yield from refusals
            if batch:
                yield from self._advance(batch)
                batch = batch if any(batch.texts) else None
            elif not refusals:
                return

    @torch.inference_mode()
    def _begin(self, texts: Sequence[Text], batch: RunningBatch | None) -> RunningBatch:
        """Read the prompts of these, and let them join those that run."""
        of_prompt: dict[tuple[int, ...], list[Text]] = {}
        for text in texts:
            of_prompt.setdefault(text.prompt, []).append(text)
        for read in self._reader.read(list(of_prompt)):
            begun = [text for prompt in read.prompts for text in of_prompt[prompt]]
            if batch is None:
                batch = RunningBatch(begun, read, self._ending)
            else:
                batch.join(begun, read)
        assert batch is not None
        return batch

    @torch.inference_mode()
    def _advance(self, batch: RunningBatch) -> list[Completion]:
        """Write a token of each text. Returns those that have ended with it."""
        batch.drop_ended()
        batch.choose_tokens()
        completions = []
        for row, text, tokens in batch.perhaps_ended():
            if completion := self._end(text, tokens):
                batch.texts[row] = None
                completions.append(completion)
        if any(batch.texts):
            batch.logits = self._step(batch.tokens[:, -1:], batch.mask, batch.cache)
        return completions

    def _step(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        """Logits (texts, vocabulary) of the next tokens. `tokens`: (texts, new); `mask`: (texts, all so far)."""
        # A text that has ended may go on, beyond what the model was made for, until its row is given up.
        positions = (mask.cumsum(1) - 1).clamp(0, self._longest - 1)[:, -tokens.shape[1] :]
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

    def _ending(self, stops: tuple[str, ...], vocabulary: int) -> torch.Tensor:
        """(vocabulary,), bool: the tokens that may end a text with these stop strings."""
        if stops not in self._endings:
            table = completing(self._tokenizer, stops, vocabulary)
            table[[end for end in sorted(self._ends) if end < vocabulary]] = True
            self._endings[stops] = table.to(self._device)
        return self._endings[stops]

    def _end(self, text: Text, tokens: list[int]) -> Completion | None:
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
    if "past_key_values" not in _arguments(model):
        raise UserError(
            f"The model {name} has no cache of keys and values ({model.config.model_type}), and transformers writes "
            "with nothing else here.",
            "Choose vLLM, which takes most such models: generator@engine=vllm, in a run generator@synthesis=vllm.",
        )
    return model.to(device).eval(), tokenizer


def _arguments(model: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.forward).parameters


def _settle_frequencies(model: Any, longest: int) -> None:
    """Have a model with frequencies for short texts and others for long ones (LongRoPE, as of Phi-3) take those of the
    longest text there may be, as vLLM does: it would choose anew each step, for all texts by the longest beside them.
    """
    for module in model.modules():
        if getattr(module, "rope_type", None) == "longrope":
            with torch.no_grad():
                module(module.inv_freq, torch.tensor([[longest - 1]], device=module.inv_freq.device))
            module.rope_type = "default"


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """What the model's own settings and its tokenizer call the end of a text."""
    of_model = model.generation_config.eos_token_id
    ends = of_model if isinstance(of_model, list) else [of_model]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}


def _memory(device: torch.device) -> int:
    """Bytes for keys and values."""
    return int(MEMORY_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else HOST_MEMORY


def _room(model: Any, memory: int) -> Callable[[int], int]:
    """How many texts of so many tokens each are written at a time."""
    a_token = cache_bytes(model.config, model.dtype.itemsize) * SPARE
    a_draw = DRAWING * model.config.get_text_config().vocab_size
    return lambda tokens: int(memory / (tokens * a_token + a_draw))
