"""Text from an in-process vLLM engine, on NVIDIA GPUs and on CPUs alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from src.core.checks import at_least
from src.core.errors import require
from src.core.fingerprint import not_in_key
from src.core.hub import model_identity
from src.generation.base import Generator
from src.generation.models import local_model, lora_rank, model_name

if TYPE_CHECKING:
    from src.generation.vllm_session import VLLMSession


@dataclass(frozen=True)
class VLLMGenerator(Generator):
    """Options of the engine.

    model: a Hugging Face folder or name; None when the stage brings the model.
    lora: a LoRA adapter of the model, as peft saves it: a folder, or a name on the hub.
    chat: the model is asked through its chat template, as an instruct model wants it; otherwise it goes on from the
        prompt. `system`: a message before each prompt. `template_options`: variables of the template, as
        `enable_thinking`. What the model thinks before its answer is no part of the text.
    output: "json" holds the text, token by token, to a JSON object of problem and solution.
    dtype: of weights and activations; "auto" is the model's, and on CPUs without bfloat16 "float32", which is faster.
    max_model_len: tokens of prompt and text together; None takes what the model was made for.
    max_num_seqs: texts written at a time.
    enforce_eager: no compilation, no CUDA graphs. None: so on CPUs, where compiling outlasts a small run.
    gpu_memory_utilization: the share of a GPU that weights and KV cache may take.
    kv_cache_gb: the size of the KV cache on a CPU (zero-filled at the start: about half a second per GB).
    batch_invariant: slower GPU kernels whose results do not depend on what else is in the batch. CPUs need none: there
        200 of 200 texts were the same under other batches and another order.
    """

    preloads: ClassVar[tuple[str, ...]] = ("src.generation.vllm_session",)

    model: str | None = None
    lora: str | None = None
    chat: bool = False
    system: str | None = None
    template_options: dict[str, Any] | None = None
    output: Literal["text", "json"] = "text"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int | None = None
    max_num_seqs: int = field(
        default=256, metadata=not_in_key("how many sequences are interleaved: each has its own seed")
    )
    tensor_parallel_size: int = field(default=1, metadata=not_in_key("how many cards hold the engine"))
    gpu_memory_utilization: float = field(default=0.9, metadata=not_in_key("room for the engine's cache"))
    kv_cache_gb: float = field(default=1.0, metadata=not_in_key("room for the engine's cache"))
    enable_prefix_caching: bool = field(default=True, metadata=not_in_key("what is computed once, not what comes out"))
    quantization: str | None = None
    enforce_eager: bool | None = field(
        default=None, metadata=not_in_key("whether kernels are compiled, not what they compute")
    )
    batch_invariant: bool = False

    def __post_init__(self) -> None:
        at_least(self, 1, "max_num_seqs", "tensor_parallel_size", "max_model_len")
        if not self.chat and (self.system or self.template_options):
            raise ValueError("system and template_options need chat=true")
        if self.output not in ("text", "json"):
            raise ValueError(f"output must be text or json, not {self.output}")
        if not 0 < self.gpu_memory_utilization <= 1:
            raise ValueError(f"gpu_memory_utilization must lie in (0, 1], not {self.gpu_memory_utilization}")
        if self.kv_cache_gb <= 0:
            raise ValueError(f"kv_cache_gb must be above 0, not {self.kv_cache_gb}")

    def identity(self) -> dict[str, str]:
        """What the model and its adapter are now, where they are named here."""
        adapter = {f"lora/{name}": value for name, value in model_identity(self.lora).items()}
        return model_identity(self.model) | adapter

    @property
    def name(self) -> str:
        return model_name(self.model, "vllm")

    @property
    def devices(self) -> int:
        return self.tensor_parallel_size

    def preflight(self) -> None:
        """Raises UserError when vLLM is not installed, or there is no adapter where one is named."""
        require("vllm", "The generator vllm")
        if self.lora:
            lora_rank(self.lora)

    def open(self, model: str | None, cache: Path) -> VLLMSession:
        """Raises UserError when vLLM is not installed or the model cannot be found."""
        path = local_model(model or self.model, "The generator vllm")
        require("vllm", "The generator vllm")
        from src.generation.vllm_session import VLLMSession

        return VLLMSession(self, path)
