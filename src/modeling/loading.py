"""Models in from, and out to, plain Hugging Face folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from src.core.console import quiet_transformers
from src.core.errors import UserError
from src.core.hub import model_identity
from src.core.records import content_id
from src.modeling.recipe import LoRA, Recipe

if TYPE_CHECKING:
    from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase


def _load(what: str, base: str | Path, load: Any, **options: Any) -> Any:
    quiet_transformers()
    try:
        return load(str(base), **options)
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise UserError(
            f"The {what} of '{base}' cannot be loaded: {first}",
            "Name a Hugging Face model that can be reached from here, or a folder with config.json, weights and "
            "tokenizer files; a gated model needs `hf auth login`.",
        ) from None


def load_config(base: str | Path) -> PretrainedConfig:
    """Raises UserError when it is neither a model folder nor a name that can be reached."""
    from transformers import AutoConfig

    return _load("configuration", base, AutoConfig.from_pretrained)


def load_tokenizer(base: str | Path) -> PreTrainedTokenizerBase:
    """With a pad token: a tokenizer that has none pads with its end token."""
    from transformers import AutoTokenizer

    tokenizer = _load("tokenizer", base, AutoTokenizer.from_pretrained)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def added_beginning(tokenizer: PreTrainedTokenizerBase) -> str:
    """The beginning token that tokenizing puts before a text, which a chat template must not have written as well; none
    where it puts none: SmolLM2's, `<|im_start|>`, begins a turn and is the template's alone."""
    bos = tokenizer.bos_token_id
    is_added = bos is not None and tokenizer("x")["input_ids"][:1] == [bos]
    return str(tokenizer.bos_token) if is_added else ""


@dataclass(frozen=True)
class Spread:
    """A model over so many ranks (FSDP 2): each reads its own part of the files, none ever holds the whole. lowered:
    weights travel and compute in bfloat16, gradients are summed in float32. offload: see `Trainer`."""

    ranks: int
    lowered: bool = False
    offload: bool = False


def load_model(
    base: str | Path, attention: str, dtype: torch.dtype = torch.float32, spread: Spread | None = None
) -> Any:
    """The causal language model, with weights of `dtype`."""
    from transformers import AutoModelForCausalLM

    options = {"dtype": dtype, "attn_implementation": attention, "generation_config": _generation_defaults(base)}
    if spread:
        from transformers.distributed import DistributedConfig

        options["distributed_config"] = DistributedConfig(
            fsdp_size=spread.ranks, fsdp_mixed_precision=spread.lowered, fsdp_cpu_offload=spread.offload
        )
    return _load("model", base, AutoModelForCausalLM.from_pretrained, **options)


def load_base(base: str | Path, attention: str, dtype: torch.dtype) -> Any:
    """The same without a head, whose last hidden states are what it gives."""
    from transformers import AutoModel

    return _load("model", base, AutoModel.from_pretrained, dtype=dtype, attn_implementation=attention)


def with_weights(base: str | Path, weights: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    """The model of that configuration with these weights, which are not copied."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(load_config(base), dtype=dtype)
    model.load_state_dict(weights, assign=True, strict=False)
    model.tie_weights()
    model.generation_config = _generation_defaults(base)
    return model


def _generation_defaults(base: str | Path) -> GenerationConfig:
    """The base's own. Published ones hold values that transformers refuses to write again, or even to read, such as a
    temperature without sampling: then sampling is turned on, or nothing is kept."""
    from transformers import GenerationConfig

    try:
        found = GenerationConfig.from_pretrained(str(base))
    except (OSError, ValueError):  # there is none, or it is refused
        return GenerationConfig()
    for config in (found, GenerationConfig.from_dict(found.to_dict() | {"do_sample": True})):
        try:
            config.validate(strict=True)
        except ValueError:
            continue
        return config
    return GenerationConfig()


def fetch(name: str, revision: str | None) -> str:
    """Bring a model of the hub to this machine (or find it there already); returns its folder."""
    from huggingface_hub import snapshot_download

    def download(*kinds: str) -> Path:
        return Path(_load("model", name, snapshot_download, revision=revision, allow_patterns=list(kinds)))

    folder = download("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
    if not any(folder.glob("*.safetensors")):
        folder = download("*.bin")  # older models have their weights in these alone
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise UserError(f"The model '{name}' has no weights: no .safetensors and no .bin file.", "Name another model.")
    return str(folder)


def digest(base: str | Path) -> str:
    """Tells models apart: by their files or their commit on the hub, and where nobody knows it by their name."""
    return content_id(json.dumps(model_identity(str(base)) or str(base), sort_keys=True))


def longest_row(config: PretrainedConfig, most: int) -> int:
    """How many tokens a document may have: `most`, but no more than the model has positions."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return min(most, positions) if positions else most


def add_lora(model: Any, lora: LoRA, seed: int) -> Any:
    """The model with adapters, which alone are trained."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # peft divides it by r, a fraction does no harm
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:  # none of the layers is there, or one is of a kind that peft cannot adapt
        raise UserError(
            f"{type(model).__name__} cannot have adapters on {', '.join(lora.targets)}: {error}",
            f"Name linear layers of it in recipe.lora.targets: {', '.join(_linear_layers(model))}.",
        ) from None


def _linear_layers(model: Any) -> list[str]:
    """The last names of a model's linear layers (GPT-2 has them under a name of its own), but for its head."""
    kinds, head = ("Linear", "Conv1D"), model.get_output_embeddings()
    named = ((name, module) for name, module in model.named_modules() if module is not head)
    return sorted({name.rpartition(".")[2] for name, module in named if type(module).__name__ in kinds})


def save_model(model: Any, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, out: Path) -> None:
    """The finished model, adapters merged. `model` is given up: its weights may be cast in place."""
    model = model.merge_and_unload() if recipe.lora else model
    write_folder(model.to(torch.bfloat16 if recipe.precision == "bf16" else torch.float32), tokenizer, out)


def _ends(taught: int, before: int | list[int] | None) -> int | list[int]:
    """The end tokens of a model that learns to end with `taught`: its base may end a turn with others besides."""
    others = [end for end in (before if isinstance(before, list) else []) if end != taught]
    return [taught, *others] if others else taught


def write_folder(model: Any, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """A folder that transformers and vLLM load: weights, configuration, tokenizer, generation defaults; of a model with
    adapters the adapters alone, as peft saves them. Appears complete or not at all.
    """
    half = out.with_name(out.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    defaults = model.generation_config
    for name in ("bos_token_id", "pad_token_id"):
        setattr(defaults, name, getattr(tokenizer, name))
    defaults.eos_token_id = _ends(tokenizer.eos_token_id, defaults.eos_token_id)
    model.save_pretrained(half)
    tokenizer.save_pretrained(half)
    shutil.rmtree(out, ignore_errors=True)
    half.replace(out)
