"""No mask is drawn, wherever an architecture keeps its probabilities, and afterwards all is as it was."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from src.modeling.dropout import without_dropout

SMALL = {"vocab_size": 50}
KINDS = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "attn_pdrop": 0.5, "resid_pdrop": 0.5},
    "opt": {
        "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "word_embed_proj_dim": 16,
        "max_position_embeddings": 32, "dropout": 0.5, "attention_dropout": 0.5,
    },
    "gpt_bigcode": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "attn_pdrop": 0.5, "resid_pdrop": 0.5},
    "llama": {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "attention_dropout": 0.5,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_no_mask_is_drawn(kind, attention):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SMALL, **KINDS[kind], attn_implementation=attention)
    model = AutoModelForCausalLM.from_config(config).train()
    tokens = torch.arange(20)[None]

    def differs():
        return not torch.equal(model(tokens).logits, model(tokens).logits)

    assert differs()
    with without_dropout(model):
        assert not differs() and model.training
    assert differs()
