"""Puts a trained base into this package: `python -m src.modeling.shipping outputs/runs/base/main-s0 base_1m`.

Weights are stored in bfloat16. The card, `README.md`, opens with the hashes by which a test tells that weights,
tokenizer and card belong together.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from src.modeling.sources import SHIPPED, weights_and_tokenizer


def ship(model: Path, facts: Mapping[str, Any], folder: Path) -> None:
    """Write the model of a folder, with its card, to `folder`. `facts`: how it was made, for people."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)
    trained.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    (folder / "README.md").write_text(card(folder.name, trained.num_parameters(), facts, folder), encoding="utf-8")


def card(name: str, parameters: int, facts: Mapping[str, Any], folder: Path) -> str:
    """The model card: a YAML header with hashes, then what it has read, in words and figures."""
    header = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "license": "apache-2.0",
        "parameters": parameters,
        "sha256": weights_and_tokenizer(folder),
        "made": dict(facts),
    }
    rows = "\n".join(f"| {key} | {value} |" for key, value in facts.items())
    return f"""---
{yaml.safe_dump(header, sort_keys=False).rstrip()}
---

# {name}

A Llama of {parameters:,} parameters that can read and reckon: it copies the numbers and names of a question, knows the
four operations with carries and borrows, signs, fractions, powers, simple equations, units and the language of word
problems. It is what `model={name}` loads, and where the synthesizer and the student of the laptop scale begin.

It has read elementary skills alone (the families under `src/generation/procedural/reading`), which no teacher
writes and no examination asks: they share no wording and no name with what is taught and examined. Two thirds of the
rows stand as a student reads them (question, solution), a third as a synthesizer writes (topic words, problem,
solution); one in seven is solved by a program.

| | |
|---|---|
{rows}

It knows nothing else: no world, no language but these sentences. `make base` trains another.
"""


def artifact_of(run: Path) -> Path:
    """The `base` artifact that a run of method=base made or found."""
    record = json.loads((run / "run.json").read_text())
    return Path(record["config"]["outputs"]).expanduser() / "store" / "base" / record["nodes"][-1]["key"]


def facts_of(stage: Path) -> dict[str, Any]:
    """How a `base` artifact was made, from its manifest."""
    manifest = json.loads((stage / "manifest.json").read_text())
    metrics = manifest["metrics"]
    return {
        "rows read": metrics["rows_kept"],
        "tokens read": metrics["tokens"],
        "steps": metrics["steps"],
        "held-out loss, nats a token": round(metrics["val_loss/reading"], 4),
        "hours": round(manifest["seconds_working"] / 3600, 2),
        "machine": manifest["machine"],
        "commit": manifest["git"]["commit"],
        "command": manifest["command"],
    }


if __name__ == "__main__":
    trained = artifact_of(Path(sys.argv[1]))
    ship(trained / "model", facts_of(trained), SHIPPED / sys.argv[2])
