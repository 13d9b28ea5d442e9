"""A model small enough to check against autograd one sample at a time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from transformers import Lfm2Config, Lfm2ForCausalLM, LlamaConfig, LlamaForCausalLM

from src.core.records import Example, content_id
from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer
from src.selection.packed import Encoded


def tiny_llama(hidden: int = 32, vocabulary: int = 64, layers: int = 2, seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        attention_bias=True,
    )
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # far from the flat start, so that every layer has a gradient
    return model.eval()


def tiny_lfm2(vocabulary: int = 64) -> Lfm2ForCausalLM:
    """A convolution and an attention layer: the first carries what it holds from row to row of a pass."""
    torch.manual_seed(0)
    config = Lfm2Config(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
        max_position_embeddings=512,
        eos_token_id=0,
        pad_token_id=0,
        bos_token_id=0,
    )
    model = Lfm2ForCausalLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


@pytest.fixture
def model() -> LlamaForCausalLM:
    return tiny_llama()


@pytest.fixture
def rows() -> list[Encoded]:
    generator = torch.Generator().manual_seed(3)

    def row(i: int) -> Encoded:
        length = 6 + 3 * i
        tokens = torch.randint(1, 64, (length,), generator=generator).tolist()
        return Encoded(f"row{i}", tokens, 1 + i % 5)

    return [row(i) for i in range(7)]


NAMES = ["Ava", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"]
THINGS = ["apples", "coins", "books", "cards", "shells", "stamps"]


def word_problem(family: int, i: int) -> tuple[str, str]:
    """A question and a worked solution of one of ten families; they share names, things and phrases."""
    draw = random.Random(f"{family}/{i}")
    name, thing, a, b, c = draw.choice(NAMES), draw.choice(THINGS), *(draw.randint(2, 60) for _ in range(3))
    return [
        lambda: (f"{name} has {a} {thing} and finds {b} more. How many now?", f"{a} + {b} = {a + b}"),
        lambda: (f"{name} has {a + b} {thing} and loses {b}. How many now?", f"{a + b} - {b} = {a}"),
        lambda: (f"{name} fills {a} boxes with {b} {thing} each. How many?", f"{a} * {b} = {a * b}"),
        lambda: (f"{name} shares {a * b} {thing} among {a} friends. How many each?", f"{a * b} / {a} = {b}"),
        lambda: (f"What is the remainder of {a + 60} by {b}?", f"{a + 60} mod {b} = {(a + 60) % b}"),
        lambda: (f"Solve x + {a} = {a + b}.", f"x = {a + b} - {a} = {b}"),
        lambda: (f"What is the area of a {a} by {b} field?", f"area: {a} x {b} = {a * b}"),
        lambda: (f"Find the mean of {a}, {b} and {c}.", f"({a} + {b} + {c}) / 3 = {(a + b + c) / 3:.1f}"),
        lambda: (f"What is {a} percent of {b * 10}?", f"{a} / 100 * {b * 10} = {a * b / 10}"),
        lambda: (f"Which is larger, {a}/{b} or {b}/{c}?", f"{a} * {c} = {a * c}, {b} * {b} = {b * b}"),
    ][family]()


def example(family: int, i: int) -> Example:
    question, solution = word_problem(family, i)
    response = f"{solution}. The answer is \\boxed{{{solution.split('= ')[-1]}}}"
    return Example(content_id(family, i), f"family{family}", f"## Question\n{question}\n\n## Solution\n", response)


class Families:
    """A target: dev examples of some families."""

    def __init__(self, families: tuple[int, ...], n: int = 40):
        self.families, self.n = families, n

    def dev_examples(self):
        return (example(family, 10_000 + i) for family in self.families for i in range(self.n))


def write_reference(folder: Path, hidden: int = 64, layers: int = 2) -> Path:
    """A small untrained model with a byte-level tokenizer, as a Hugging Face folder."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<|end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>").save_pretrained(
        folder
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_reference(tmp_path_factory.mktemp("reference"))


def train_reference(folder: Path) -> Path:
    """A reference model that has seen a little of every family, as a synthesizer has."""
    from src.modeling.training import train

    base = write_reference(folder / "base")
    rows = [example(family, 500 + i) for family in range(10) for i in range(40)]
    recipe = Recipe(lr=3e-3, epochs=1, sequence_length=256, batch_sequences=4)
    train(base, rows, recipe, Trainer(threads=1), folder / "model", folder / "work", seed=0)
    return folder / "model"
