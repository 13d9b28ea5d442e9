"""Which model a generator opens: a Hugging Face folder on disk, or a name on the hub."""

from __future__ import annotations

import json
from pathlib import Path

from src.core.errors import UserError
from src.core.hub import model_folder


def local_model(model: str | None, who: str) -> str:
    """The model as engines want it. Raises UserError for none, and for a path that holds no model.

    A hub name is left for the hub to find.
    """
    if model is None:
        raise UserError(f"{who} was given no model.", "Set its option `model` to a Hugging Face folder or name.")
    path = Path(model).expanduser()
    if (path / "config.json").is_file():
        return str(path)
    if path.exists():
        raise UserError(f"{path} holds no model: there is no config.json in it.", "Is the folder complete?")
    if model_folder(model) is not None:
        raise UserError(f"There is no model at {path}.", "Give a Hugging Face folder, or a name on the hub.")
    return model


def lora_rank(adapter: str) -> int:
    """The rank of a LoRA adapter, a folder or a name on the hub. Raises UserError where there is none."""
    folder, name = model_folder(adapter), "adapter_config.json"
    try:
        if folder is None:
            from huggingface_hub import hf_hub_download

            path = Path(hf_hub_download(adapter, name))
        else:
            path = folder / name
        return int(json.loads(path.read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError) as error:
        problem = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"There is no LoRA adapter at {adapter}: {problem}",
            f"Give a folder, or a name on the hub, with {name} and the weights that peft saves beside it.",
        ) from None


def model_name(model: str | None, fallback: str) -> str:
    """The last part of a folder or hub name: short, and the same on every machine."""
    return Path(model).name if model else fallback
