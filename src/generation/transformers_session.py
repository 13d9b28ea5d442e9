"""The live fallback engine: batches of texts, each with a random stream of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from src.core.errors import UserError
from src.core.memory import release
from src.core.threads import use_threads
from src.generation.base import Completion, Request, Sampling, Session, refused
from src.generation.precision import on_cpu
from src.generation.token_choice import choose

if TYPE_CHECKING:
    from src.generation.transformers import TransformersGenerator

UNLIMITED = 1 << 30
TAIL_CHARACTERS = 16  # more than one token adds, of what is decoded to look for a stop string


@dataclass
class _Text:
    """A text being written."""

    request: Request
    prompt: list[int]
    limit: int
    written: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.request.seed)


def _extend(texts: list[_Text], logits: torch.Tensor) -> torch.Tensor:
    """Choose the next token of each text from `logits`, (texts, vocabulary), append it and return them, (texts,)."""
    alike: dict[Sampling, list[int]] = {}
    for i, text in enumerate(texts):
        alike.setdefault(replace(text.request.sampling, max_tokens=1, stop=()), []).append(i)
    for sampling, rows in alike.items():
        chosen = [texts[i] for i in rows]
        seen = [text.prompt + text.written for text in chosen] if sampling.repetition_penalty != 1 else []
        for text, token in zip(chosen, choose(logits[rows], seen, sampling, [text.generator for text in chosen])):
            text.written.append(token)
    return torch.tensor([text.written[-1] for text in texts])


class TransformersSession(Session):
    """Holds a model until `close`."""

    def __init__(self, options: TransformersGenerator, model: str):
        self._batch_size = options.batch_size
        self._device = _device(options.device)
        if self._device.type == "cpu":
            use_threads(model)
        self._model, self._tokenizer = _load(model, options.dtype, self._device)
        longest = getattr(self._model.config, "max_position_embeddings", UNLIMITED)
        self._longest = min(options.max_model_len or longest, longest)
        self._ends = _end_tokens(self._model, self._tokenizer)

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        source = iter(requests)
        while batch := list(islice(source, self._batch_size)):
            fit = []
            for request in batch:
                tokens = self._tokenizer(request.prompt, verbose=False)["input_ids"]
                if problem := refused(len(tokens), self._longest):
                    yield Completion(request.id, "", "error", len(tokens), error=problem)
                else:
                    limit = min(request.sampling.max_tokens, self._longest - len(tokens))
                    fit.append(_Text(request, tokens, limit))
            yield from self._write(fit)

    def close(self) -> None:
        del self._model
        release()

    @torch.inference_mode()
    def _step(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        """Logits (texts, vocabulary) of the next tokens. `tokens`: (texts, new); `mask`: (texts, all so far)."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self._model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        return out.logits[:, -1], out.past_key_values

    def _write(self, texts: list[_Text]) -> Iterator[Completion]:
        """Padded on the left; a text that ends leaves the batch when the next step begins."""
        if not texts:
            return
        tokens, mask = self._padded(texts)
        logits, cache = self._step(tokens, mask, None)
        while True:
            new = _extend(texts, logits)
            ended = [self._end(text) for text in texts]
            yield from (completion for completion in ended if completion is not None)
            going = [i for i, completion in enumerate(ended) if completion is None]
            if not going:
                return
            if len(going) < len(texts):
                kept = torch.tensor(going, device=self._device)
                cache.batch_select_indices(kept)
                texts, mask, new = [texts[i] for i in going], mask[kept], new[going]
            mask = torch.cat([mask, mask.new_ones(len(texts), 1)], dim=1)
            logits, cache = self._step(new[:, None].to(self._device), mask, cache)

    def _padded(self, texts: list[_Text]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(text.prompt) for text in texts)
        rows = [[0] * (width - len(text.prompt)) + text.prompt for text in texts]
        masks = [[0] * (width - len(text.prompt)) + [1] * len(text.prompt) for text in texts]
        return torch.tensor(rows, device=self._device), torch.tensor(masks, device=self._device)

    def _end(self, text: _Text) -> Completion | None:
        """The completion, if its last token ended the text."""
        if text.written[-1] in self._ends:
            return self._completion(text, self._decode(text.written[:-1]), "stop")
        if stopped := self._stopped(text):
            return self._completion(text, *stopped)
        if len(text.written) >= text.limit:
            return self._completion(text, self._decode(text.written), "length")
        return None

    def _stopped(self, text: _Text) -> tuple[str, str, str] | None:
        """The text up to the first stop string, "stop" and that string; None where there is none yet. Decodes it all
        only for a hit."""
        stops = text.request.sampling.stop
        if not stops:
            return None
        tail = self._decode(text.written[-(max(map(len, stops)) + TAIL_CHARACTERS) :])
        if not any(stop in tail for stop in stops):
            return None
        written = self._decode(text.written)
        cuts = [(cut, stop) for stop in stops if (cut := written.find(stop)) >= 0]
        if not cuts:
            return None
        cut, stop = min(cuts)
        return written[:cut], "stop", stop

    def _decode(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=True)

    @staticmethod
    def _completion(text: _Text, written: str, reason: str, stopped_at: str | None = None) -> Completion:
        tokens = len(text.prompt), len(text.written)
        return Completion(text.request.id, written, reason, *tokens, stopped_at=stopped_at)


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _load(name: str, dtype: str, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

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
