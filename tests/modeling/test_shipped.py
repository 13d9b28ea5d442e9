"""The base that lies in the package: its weights, its tokenizer and its card belong together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from src.modeling.shipping import artifact_of, facts_of, ship
from src.modeling.sources import SHIPPED, Shipped, weights_and_tokenizer

MOST_BYTES = 8_000_000
NAMES = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_these_weights_and_this_tokenizer(name: str) -> None:
    folder = SHIPPED / name
    _, header, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(header)
    assert card["sha256"] == weights_and_tokenizer(folder) == Shipped(name).identity()
    assert {"rows read", "tokens read", "hours", "machine", "command"} <= set(card["made"])
    assert name in text


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_small(name: str) -> None:
    files = [path for path in (SHIPPED / name).iterdir()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_loads_like_any_model_and_copies_what_it_is_asked_for(name: str) -> None:
    import torch

    from src.modeling.loading import load_model, load_tokenizer

    folder = str(SHIPPED / name)
    tokenizer, model = load_tokenizer(folder), load_model(folder, "sdpa").float().eval()
    question = "Walter owns 128 stools. Rita owns 52 bricks and 5 pumpkins. How many pumpkins does Rita own?"
    asked = tokenizer(f"## Question\n{question}\n\n## Solution\n", return_tensors="pt").input_ids
    with torch.no_grad():
        answer = model.generate(asked, max_new_tokens=40, do_sample=False)
    assert r"\boxed{5}" in tokenizer.decode(answer[0, asked.shape[1] :])


@pytest.mark.slow
def test_what_a_run_has_trained_is_shipped_with_a_card_of_its_own(tmp_path: Path) -> None:
    """As `python -m src.modeling.shipping outputs/runs/base/main-s0 base_1m` does it, which would replace the base."""
    made = tmp_path / "outputs" / "store" / "base" / "abc"
    shutil.copytree(SHIPPED / NAMES[0], made / "model")
    metrics = {"rows_kept": 7, "tokens": 900, "steps": 3, "val_loss/reading": 0.25}
    manifest = {"metrics": metrics, "seconds_working": 7200, "machine": "here", "git": {"commit": "c"}, "command": "x"}
    (made / "manifest.json").write_text(json.dumps(manifest))
    run = tmp_path / "outputs" / "runs" / "base" / "main-s0"
    run.mkdir(parents=True)
    record = {"config": {"outputs": str(tmp_path / "outputs")}, "nodes": [{"key": "before"}, {"key": "abc"}]}
    (run / "run.json").write_text(json.dumps(record))

    found = artifact_of(run)
    ship(found / "model", facts_of(found), tmp_path / "base_x")
    _, header, text = (tmp_path / "base_x" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(header)
    assert card["sha256"] == weights_and_tokenizer(tmp_path / "base_x")
    trained, shipped = (load_file(folder / "model.safetensors") for folder in (made / "model", tmp_path / "base_x"))
    assert trained.keys() == shipped.keys() and all(trained[name].equal(shipped[name]) for name in trained)
    assert (card["made"]["tokens read"], card["made"]["hours"]) == (900, 2.0)
    assert "# base_x" in text
