"""Text by plain transformers: for the smallest models, and for machines that vLLM does not run on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.hub import model_identity
from src.core.machine import cuda_devices
from src.core.processes import cores
from src.core.threads import is_small
from src.generation.base import Generator, Session
from src.generation.models import local_model, model_name
from src.generation.side_by_side import SideBySide

if TYPE_CHECKING:
    from src.generation.transformers_session import TransformersSession


@dataclass(frozen=True)
class TransformersGenerator(Generator):
    """Options of this engine.

    model: a Hugging Face folder or name; None when the stage brings the model.
    batch_size: texts written at a time, fewer where there is no memory for theirs; None: 256, on a GPU 4,096. It shifts
        logits by rounding alone (about 1e-6 in float32), so it changes a text only where two tokens all but tie; in
        half precision that is not so rare.
    workers: processes that write side by side on a CPU, each a batch at a time; None: one a core for a model under
        20 MB, whose threads would wait for each other, and one for larger models.
    device: "auto" takes the GPU where there is one.
    max_model_len: tokens of prompt and text together; None takes what the model was made for. Models with LongRoPE read
        short texts as they were trained on them only where it allows no longer ones, as with vLLM.
    """

    preloads: ClassVar[tuple[str, ...]] = ("src.generation.transformers_session",)

    model: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    batch_size: int | None = field(
        default=None, metadata=not_in_key("how many texts are written at a time: each has its own seed")
    )
    workers: int | None = field(default=None, metadata=not_in_key("who writes a text: each has its own seed"))
    max_model_len: int | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "batch_size", "workers", "max_model_len")

    def identity(self) -> dict[str, str]:
        """What the model is now, and how tokens are drawn from a seed: the same seed wrote other texts before."""
        return {"draws": "counter-based", **model_identity(self.model)}

    @property
    def name(self) -> str:
        return model_name(self.model, "transformers")

    @property
    def devices(self) -> int:
        return 1

    @property
    def batch(self) -> int:
        """A GPU reads the weights as fast for thousands of texts as for one."""
        return self.batch_size or (4_096 if self._place == "cuda" else 256)

    @property
    def _place(self) -> str:
        return self.device if self.device != "auto" else "cuda" if cuda_devices() else "cpu"

    def open(self, model: str | None, cache: Path) -> Session:
        """Raises UserError when the model cannot be found or loaded."""
        path = local_model(model or self.model, "generator=transformers")
        if self._place != "cpu":
            return self.alone(path)
        workers = self.workers or (cores() if is_small(Path(path)) else 1)
        return SideBySide(self, path, workers) if workers > 1 else self.alone(path)

    def alone(self, model: str) -> TransformersSession:
        """The session of this process."""
        from src.generation.transformers_session import TransformersSession

        return TransformersSession(self, model)
