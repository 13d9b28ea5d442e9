"""The base that lies in the package: its weights, its tokenizer and its card belong together."""

from __future__ import annotations

import pytest
import yaml

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
