import json
import shutil

import numpy as np
import pytest

from src.core.errors import UserError
from src.embedding.local import TransformersEmbedder, VLLMEmbedder
from tests.generation.tiny import LENGTH, write_tiny_llama

pytestmark = pytest.mark.slow

TEXTS = ["a ten", "carrying a ten to the next column of a sum", "roots", "a ten"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_llama(tmp_path_factory.mktemp("encoder"))


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_vector_depends_on_its_text_alone(folder, tmp_path, pooling):
    together = TransformersEmbedder(folder, pooling).embed(TEXTS, tmp_path)
    alone = TransformersEmbedder(folder, pooling, batch_rows=1).embed(TEXTS[::-1], tmp_path)[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together[0], together[3], atol=1e-6)
    assert together[0] @ together[1] < 1 - 1e-4


def test_no_texts_have_no_vectors_and_no_model_is_told(folder, tmp_path):
    assert len(TransformersEmbedder(folder).embed([], tmp_path)) == 0
    with pytest.raises(UserError, match=r"There is no model at"):
        TransformersEmbedder("./nowhere").embed(TEXTS, tmp_path)


@pytest.fixture
def told_otherwise(folder, tmp_path):
    """The model with other words in its tokenizer's file."""

    def write(**options):
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        file = copy / "tokenizer_config.json"
        there = json.loads(file.read_text()) | options
        file.write_text(json.dumps({name: value for name, value in there.items() if value is not None}))
        return str(copy)

    return write


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("options", [{"padding_side": "left"}, {"pad_token": None}])
def test_padding_is_no_part_of_a_vector(folder, told_otherwise, tmp_path, pooling, options):
    wanted = TransformersEmbedder(folder, pooling).embed([*TEXTS, ""], tmp_path)
    found = TransformersEmbedder(told_otherwise(**options), pooling).embed([*TEXTS, ""], tmp_path)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert not found[-1].any()


def test_what_a_model_cannot_read_is_one_message(folder, told_otherwise, tmp_path):
    with pytest.raises(UserError, match=r"reads 256 tokens .* is 4,000.\n.*embedder.max_tokens=256"):
        TransformersEmbedder(folder, max_tokens=4000).embed(TEXTS, tmp_path)
    assert len(TransformersEmbedder(folder, max_tokens=LENGTH).embed(["a ten " * 400], tmp_path)) == 1
    copy = told_otherwise(model_max_length=99)
    with pytest.raises(UserError, match="reads 99 tokens"):
        TransformersEmbedder(copy, max_tokens=100).embed(TEXTS, tmp_path)
    shutil.rmtree(copy)
    with pytest.raises(UserError, match=r"neither a padding token nor an end token.\n.*pad_token"):
        TransformersEmbedder(told_otherwise(pad_token=None, eos_token=None)).embed(TEXTS, tmp_path)


def test_a_key_tells_the_first_states_from_those_of_the_padding(folder):
    mean, first = TransformersEmbedder(folder).identity(), TransformersEmbedder(folder, "first").identity()
    assert first == mean | {"padding": "right"}


@pytest.mark.vllm
def test_vllm_pools_a_model_s_last_state(tmp_path):
    """Of a model that was not made for it, vLLM takes the state of the last token: what transformers gives there."""
    pytest.importorskip("vllm")
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = write_tiny_llama(tmp_path / "model")
    found = VLLMEmbedder(folder, max_model_len=64).embed(TEXTS, tmp_path)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        last = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, -1] for text in TEXTS]
    wanted = torch.nn.functional.normalize(torch.stack(last), dim=1).numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-3)  # vLLM takes bfloat16 where the processor has it
    assert len(VLLMEmbedder(folder).embed([], tmp_path)) == 0
