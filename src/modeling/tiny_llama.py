"""Builds the untrained small model of `sources.TinyLlama`: the same texts and seed give the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from src.core.console import quiet_transformers
from src.core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from src.modeling.sources import Texts, TinyLlama

START, END, PAD = "<s>", "</s>", "<pad>"

# A digit alone; a word with the space before it, and with the one behind it when a digit follows, so that " = 24" costs
# three tokens and not four; other spaces.
PIECES = r"\d| ?[^\s\d]+ (?=\d)| ?[^\s\d]+|\s+"


def build(options: TinyLlama, folder: Path, texts: Texts, seed: int) -> Path:
    """Write tokenizer, configuration and random weights to `folder`, complete or not at all; returns it.

    A folder that is there is left as it is: it belongs to this very run, begun before a kill.
    """
    if folder.exists():
        return folder
    import torch
    from transformers import GenerationConfig, LlamaForCausalLM

    quiet_transformers()
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    tokenizer = train_tokenizer(_first(texts(), options.tokenizer_characters), options)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(_config(options, tokenizer))
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(half)
    tokenizer.save_pretrained(half)
    return half.replace(folder)


def train_tokenizer(texts: Iterable[str], options: TinyLlama) -> PreTrainedTokenizerFast:
    """Byte-level BPE: every text survives encoding and decoding, and a digit is always a token of its own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    pieces = pre_tokenizers.Split(Regex(PIECES), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=options.vocab_size,
            special_tokens=[START, END, PAD],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        model_max_length=options.max_positions,
        clean_up_tokenization_spaces=False,
    )


def _config(options: TinyLlama, tokenizer: PreTrainedTokenizerFast):  # type: ignore[no-untyped-def]  # heavy type
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=options.vocab_size,
        hidden_size=options.hidden_size,
        intermediate_size=options.intermediate_size,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads,
        max_position_embeddings=options.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": options.rope_theta},
        initializer_range=options.initializer_range or options.hidden_size**-0.5,
        tie_word_embeddings=options.tie_embeddings,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    """Texts from the front until so many characters are read. Raises UserError when there is none."""
    seen = 0
    for text in texts:
        if text:
            seen += len(text)
            yield text
        if seen >= characters:
            break
    if not seen:
        raise UserError("There is no text to make a tokenizer from.", "Look at the corpus and the stage before.")
