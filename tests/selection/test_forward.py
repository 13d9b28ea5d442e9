"""The selectors that run the reference model forward: loss, perplexity drop, embedding."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from src.core.errors import UserError
from src.core.records import Example
from src.modeling.loading import load_config, load_model, load_tokenizer
from src.modeling.trainer import Trainer
from src.selection import forward
from src.selection.base import Reference
from src.selection.embedding import Embedding
from src.selection.perplexity import Loss, PerplexityDrop
from tests.selection.conftest import Families, example, tiny_lfm2, write_reference

ROWS = [example(family, i) for family in range(3) for i in range(3)]
EMPTY = Example("empty", "x", "## Question\nNothing\n", "")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("forward")
    write_reference(folder / "model", hidden=32)
    return Reference(folder / "model", folder / "work", folder / "cache", Trainer(threads=1))


def naive_loss(model: Path, prompt: str, response: str) -> float:
    tokenizer, network = load_tokenizer(model), load_model(model, "sdpa").eval()
    before, after = (tokenizer(text, add_special_tokens=False).input_ids for text in (prompt, response))
    tokens = torch.tensor([[*before, *after, tokenizer.eos_token_id]])
    labels = tokens.clone()
    labels[:, : len(before)] = -100
    with torch.no_grad():
        return float(network(input_ids=tokens, labels=labels).loss)


def test_texts_are_cut_to_the_positions_that_the_model_has(reference, monkeypatch):
    seen = []
    real = forward.encode

    def encode(tokenizer, examples, max_length):
        seen.append(max_length)
        return real(tokenizer, examples, max_length)

    monkeypatch.setattr(forward, "encode", encode)
    Loss(top_k=1, max_length=10**6).rank(ROWS[:1], reference)
    assert seen == [load_config(reference.model).max_position_embeddings]


def test_loss_is_the_mean_loss_of_the_response(reference):
    ranking = Loss(top_k=1, batch_rows=1, max_length=512).rank([*ROWS, EMPTY], reference)
    assert ranking.skipped == {"empty": "no response tokens"}
    for row in ROWS[:3]:
        assert dict(ranking.order())[row.id] == pytest.approx(
            naive_loss(reference.model, row.prompt, row.response), abs=1e-4
        )
    assert ranking.loss.tolist() == ranking.scores["overall"].tolist()


def test_losses_do_not_depend_on_batch_or_order(reference):
    straight, other = (
        Loss(top_k=1, batch_rows=n, prefer="low").rank(rows, reference) for n, rows in ((1, ROWS), (9, ROWS[::-1]))
    )
    assert dict(straight.order()) == pytest.approx(dict(other.order()), abs=1e-5)


def test_losses_of_a_model_with_convolutions_do_not_depend_on_the_batch(tmp_path):
    tiny_lfm2(257).save_pretrained(write_reference(tmp_path / "model"))
    hybrid = Reference(tmp_path / "model", tmp_path / "work", tmp_path / "cache", Trainer(threads=1))
    one, other = (Loss(top_k=1, max_length=512, batch_rows=n).rank(ROWS, hybrid) for n in (1, 9))
    assert dict(one.order()) == pytest.approx(dict(other.order()), abs=1e-5)
    [row] = ROWS[:1]
    assert dict(one.order())[row.id] == pytest.approx(naive_loss(hybrid.model, row.prompt, row.response), abs=1e-4)


def test_perplexity_drop_is_the_ratio_of_perplexities(reference):
    ranking = PerplexityDrop(top_k=1, max_length=512).rank(ROWS, reference)
    scored = dict(ranking.order())
    assert scored.keys() | ranking.skipped.keys() == {row.id for row in ROWS}
    for row in ROWS:
        given, alone = (naive_loss(reference.model, prompt, row.response) for prompt in (row.prompt, ""))
        difficulty = math.exp(given - alone)
        if row.id in scored:
            assert scored[row.id] == pytest.approx(difficulty, rel=1e-4) and difficulty < 1
        else:
            assert ranking.skipped[row.id] == "its prompt does not lower its perplexity" and difficulty > 1 - 1e-4


def test_embedding_is_the_mean_cosine_of_mean_states(reference):
    target = Families((2,), 3)
    ranking = Embedding(top_k=1, targets={"t": target}, max_length=512).rank([*ROWS, EMPTY], reference)
    tokenizer, network = load_tokenizer(reference.model), load_model(reference.model, "sdpa").eval()

    def state(row):
        tokens = [*tokenizer(row.prompt + row.response).input_ids, tokenizer.eos_token_id]
        with torch.no_grad():
            return network.model(input_ids=torch.tensor([tokens])).last_hidden_state[0].mean(0)

    targets = torch.stack([state(row) for row in target.dev_examples()])
    for row in ROWS[:3]:
        expected = functional.cosine_similarity(state(row)[None], targets).mean()
        assert dict(ranking.order())[row.id] == pytest.approx(float(expected), abs=1e-5)
    assert ranking.skipped == {"empty": "no response tokens"} and ranking.vectors.shape == (len(ROWS), 32)


def test_candidates_none_of_which_can_be_read_are_told_with_the_reason(reference):
    mute = [Example(f"empty {i}", "x", "## Question\nNothing\n", "") for i in range(2)]
    with pytest.raises(UserError, match="None of the 2 candidates has a usable state: 2 x no response tokens"):
        Embedding(top_k=1, targets={"t": Families((2,), 3)}, max_length=512).rank(mute, reference)


def test_a_target_without_examples_is_named(reference):
    with pytest.raises(UserError, match="target 't' has no training or dev examples"):
        Embedding(top_k=1, targets={"t": Families((2,), 0)}).rank(ROWS, reference)
    with pytest.raises(UserError, match=r"target 't' has a response within selector\.max_length=4"):
        Embedding(top_k=1, targets={"t": Families((2,), 1)}, max_length=4).rank(ROWS, reference)
