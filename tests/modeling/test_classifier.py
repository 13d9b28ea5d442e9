"""Heads of published reward models: written as they publish them, read without their code."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForTokenClassification

from src.core.errors import UserError
from src.modeling.classifier import load_classifier
from src.modeling.loading import load_config, load_tokenizer
from tests.generation.tiny import write_tiny_llama

IDS = [[5, 9, 40, 41, 7, 30]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return Path(write_tiny_llama(tmp_path_factory.mktemp("classifier") / "model"))


def scores(folder: Path, places=(2, 5)) -> torch.Tensor:
    model = load_classifier(str(folder), "eager", torch.float32, classes=2)
    with torch.no_grad():
        return model(input_ids=torch.tensor(IDS), logits_to_keep=torch.tensor(places), use_cache=False).logits[0]


def test_a_model_of_token_classes_says_what_transformers_makes_it_say(folder, tmp_path):
    config = load_config(folder)
    config.num_labels = 2
    model = LlamaForTokenClassification(config).eval()
    model.save_pretrained(tmp_path)
    load_tokenizer(folder).save_pretrained(tmp_path)
    with torch.no_grad():
        expected = model(input_ids=torch.tensor(IDS)).logits[0, [2, 5]]
    torch.testing.assert_close(scores(tmp_path), expected)


def with_layers(folder: Path, to: Path, *sizes: int) -> dict[str, torch.Tensor]:
    """The base with layers score.0, score.2, ..., as Qwen2.5-Math-PRM has them."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    torch.manual_seed(1)
    head = {}
    for n, (into, out) in enumerate(pairwise(sizes)):
        head |= {f"score.{2 * n}.weight": torch.randn(out, into), f"score.{2 * n}.bias": torch.randn(out)}
    save_file(load_file(to / "model.safetensors") | head, to / "model.safetensors", metadata={"format": "pt"})
    return head


def test_layers_follow_each_other_with_rectifiers_between(folder, tmp_path):
    head = with_layers(folder, tmp_path / "prm", 64, 64, 2)
    from transformers import AutoModel

    base = AutoModel.from_pretrained(folder, attn_implementation="eager")
    with torch.no_grad():
        hidden = base(input_ids=torch.tensor(IDS)).last_hidden_state[0, [2, 5]]
    hidden = (hidden @ head["score.0.weight"].T + head["score.0.bias"]).clamp(min=0)
    torch.testing.assert_close(scores(tmp_path / "prm"), hidden @ head["score.2.weight"].T + head["score.2.bias"])


@pytest.mark.parametrize(("sizes", "found"), [((), r"no weights named score\.\*"), ((64, 3), "3 classes")])
def test_a_model_without_two_classes_is_refused(folder, tmp_path, sizes, found):
    with_layers(folder, tmp_path / "other", *sizes)
    with pytest.raises(UserError, match=f"has {found}, and must have 2"):
        scores(tmp_path / "other")
