"""The README.md of a finished model: what it came from, and how. Read by people, and by the hub for its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from src.core.fingerprint import describe
from src.core.stage import Artifact
from src.modeling.recipe import Recipe

if TYPE_CHECKING:
    from src.modeling.training import TrainingSummary


def write_card(
    folder: Path,
    title: str,
    base: str,
    inputs: Mapping[str, Artifact],
    recipe: Recipe,
    seed: int,
    made: TrainingSummary,
) -> None:
    """`base`: the name of the model that training began from. Inputs are named by their keys in the store."""
    lines = [
        *("---", "library_name: transformers", "pipeline_tag: text-generation", "---", "", f"# {title}", ""),
        f"Base: {base}. The loss falls on {'responses' if recipe.loss_on == 'response' else 'prompts and responses'}.",
        *("", "## Data", ""),
        *(f"- `{name}`: {artifact.path.parent.name}/{artifact.path.name}" for name, artifact in inputs.items()),
        f"- rows: {', '.join(f'{n:,} {_words(reason)}' for reason, n in made.rows.items() if 'tokens' not in reason)}",
        *("", "## Training", "", "| | |", "|---|---|"),
        *(f"| {name} | {value} |" for name, value in _figures(made).items()),
        *(
            "",
            "Recipe:",
            "",
            "```yaml",
            yaml.safe_dump({**describe(recipe), "seed": seed}, sort_keys=False).rstrip(),
            "```",
        ),
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _words(reason: str) -> str:
    return reason.removeprefix("dropped_").replace("_", " ") + (" dropped" if reason.startswith("dropped_") else "")


def _figures(made: TrainingSummary) -> dict[str, str]:
    loss = {
        f"{name.removeprefix('val_loss/')}, held out": f"{value:.4f} nats" for name, value in made.validation.items()
    }
    return {
        "steps": f"{made.steps:,}",
        "tokens read": f"{made.tokens:,}",
        "tokens trained on": f"{made.trained_tokens:,}",
        "padding": f"{made.waste:.2%}",
        "first loss": f"{made.first_loss:.4f} nats",
        "last loss": f"{made.final_loss:.4f} nats",
        **loss,
        "steps skipped": str(made.skipped_steps),
    }
