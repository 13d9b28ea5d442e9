import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.errors import UserError
from src.generation import decoding_cache, transformers_session
from src.generation.base import Request, Sampling
from src.generation.transformers import TransformersGenerator
from tests.generation.tiny import LENGTH, write_tiny_llama

pytestmark = pytest.mark.slow


def requests(n):
    for i in range(n):
        sampling = Sampling(max_tokens=30 if i % 5 == 0 else 3 + i % 7)
        yield Request(f"r{i}", f"Question {i}? " * (1 + i % 3), 100 + i, sampling)


@pytest.fixture(scope="module")
def session(tiny_llama, tmp_path_factory):
    with TransformersGenerator(dtype="float32").open(tiny_llama, tmp_path_factory.mktemp("cache")) as session:
        yield session


def test_texts_depend_on_seeds_and_neither_on_order_nor_on_batch(session, tiny_llama, tmp_path):
    asked = list(requests(15))
    texts = {c.id: c for c in session.stream(asked)}
    assert texts.keys() == {r.id for r in asked}
    random.Random(1).shuffle(asked)
    with TransformersGenerator(dtype="float32", batch_size=3).open(tiny_llama, tmp_path) as other:
        assert {c.id: c for c in other.stream(asked)} == texts
    reseeded = [dataclasses.replace(r, seed=r.seed + 500) for r in asked]
    assert {c.id: c for c in session.stream(reseeded)} != texts


def test_greedy_texts_are_those_of_transformers_own_generate(session, tiny_llama):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_llama), AutoTokenizer.from_pretrained(tiny_llama)
    asked = [Request(f"r{i}", "abc" * (i + 1), 0, Sampling(temperature=0, max_tokens=12)) for i in range(4)]
    for completion in session.stream(asked):
        inputs = tokenizer(asked[int(completion.id[1:])].prompt, return_tensors="pt")
        own = model.generate(**inputs, do_sample=False, max_new_tokens=12)[0, inputs["input_ids"].shape[1] :]
        assert completion.text == tokenizer.decode(own, skip_special_tokens=True)


def test_stop_strings_end_the_text_and_are_cut(session):
    request = Request("a", "0 1 2", seed=4, sampling=Sampling(max_tokens=60))
    [free] = session.stream([request])
    stop = free.text[5:7]
    [stopped] = session.stream([dataclasses.replace(request, sampling=Sampling(max_tokens=60, stop=(stop,)))])
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.finish_reason == "stop"
    assert stopped.completion_tokens < free.completion_tokens
    assert (stopped.stopped_at, free.stopped_at) == (stop, None)


@pytest.mark.parametrize("sampling", [Sampling(top_p=0.9), Sampling(repetition_penalty=1.3), Sampling(temperature=0)])
def test_samplings_that_meet_in_a_batch_do_not_mix(session, sampling):
    mine = [Request(f"a{i}", "ab" * (i + 1), i, dataclasses.replace(sampling, max_tokens=12 + i)) for i in range(6)]
    others = [Request(f"b{i}", "ba" * (9 - i), i, Sampling(temperature=0.7, max_tokens=20)) for i in range(6)]
    alone = {c.id: c for c in session.stream(mine)}
    together = {c.id: c for c in session.stream([r for pair in zip(mine, others, strict=True) for r in pair])}
    assert {id: together[id] for id in alone} == alone


def what_is_read(session, monkeypatch):
    """The shapes of what the model is given from now on."""
    shapes, model = [], session._model

    def recorded(**inputs):
        shapes.append(tuple(inputs["input_ids"].shape))
        return model(**inputs)

    recorded.config = model.config
    monkeypatch.setattr(session, "_model", recorded)
    return shapes


def test_a_prompt_is_read_once_for_all_texts_that_go_on_from_it(tiny_llama, tmp_path, monkeypatch):
    """Three prompts, seven texts of each, as of the steps that a search draws for three nodes."""
    asked = [
        Request(f"r{i}", "abc" * (1 + i % 3), i, Sampling(max_tokens=4 + i, repetition_penalty=1.2)) for i in range(21)
    ]
    with TransformersGenerator(dtype="float32", workers=1).open(tiny_llama, tmp_path) as one:
        alone = {c.id: c for request in asked for c in one.stream([request])}
        read = what_is_read(one, monkeypatch)
        assert {c.id: c for c in one.stream(asked)} == alone
    assert read[:2] == [(3, max(c.prompt_tokens for c in alone.values())), (21, 1)]


def test_what_prompts_begin_with_is_read_once(tiny_llama, tmp_path, monkeypatch):
    """Examples before each question, as of few-shot prompts; then steps that go on from an answer, as of a search."""
    few_shot = Sampling(max_tokens=6)
    asked = [Request(f"r{i}", "example " * 9 + f"question {i} " * (1 + i % 3), i, few_shot) for i in range(12)]
    with TransformersGenerator(dtype="float32", batch_size=5, workers=1).open(tiny_llama, tmp_path) as plain:
        monkeypatch.setattr(plain._reader, "_memory", 0)
        alone = {c.id: c for request in asked for c in plain.stream([request])}
    with TransformersGenerator(dtype="float32", batch_size=5, workers=1).open(tiny_llama, tmp_path) as session:
        read = what_is_read(session, monkeypatch)
        assert {c.id: c for c in session.stream(asked)} == alone
        prefills = [shape for shape in read if shape[1] > 1]
        assert prefills[0] == (1, 80)  # five blocks of 16 tokens, of all
        assert max(width for _, width in prefills[1:]) < 40
        longer = [dataclasses.replace(r, id=f"{r.id}+", prompt=r.prompt + alone[r.id].text + "\n") for r in asked]
        del read[:]
        texts = {c.id: c for c in session.stream(longer)}
        assert sum(rows * width for rows, width in read if width > 1) < sum(c.prompt_tokens for c in texts.values()) / 4
    with TransformersGenerator(dtype="float32", workers=1).open(tiny_llama, tmp_path) as other:
        assert {c.id: c for request in longer for c in other.stream([request])} == texts


def test_prompts_that_were_read_are_held_within_their_memory(tiny_llama, tmp_path):
    with TransformersGenerator(dtype="float32", workers=1).open(tiny_llama, tmp_path) as session:
        reader = session._reader
        reader._memory = 3 * 64 * 2 * 2 * 64 * 4  # three prompts of 64 tokens: two layers, keys and values
        for i in range(9):
            list(session.stream([Request(f"r{i}", f"{i}" * 64, i, Sampling(max_tokens=2))]))
        assert len(reader._caches) == 3
        assert len(reader._known) == 3 * 4


def test_texts_of_any_length_outgrow_the_first_room(tiny_llama, tmp_path, monkeypatch):
    asked = [Request(f"r{i}", "xyz" * (i + 1), i, Sampling(max_tokens=60 + i)) for i in range(5)]
    with TransformersGenerator(dtype="float32").open(tiny_llama, tmp_path) as roomy:
        texts = {c.id: c for c in roomy.stream(asked)}
        monkeypatch.setattr("src.generation.decoding_cache.FIRST_ROOM", 1)
        assert {c.id: c for c in roomy.stream(asked)} == texts


def test_a_gpu_without_room_writes_fewer_texts_at_a_time(tiny_llama, tmp_path, monkeypatch):
    asked = [Request(f"r{i}", "x" * (i + 1), i, Sampling(max_tokens=20)) for i in range(9)]
    sizes = []
    with TransformersGenerator(dtype="float32").alone(tiny_llama) as session:
        texts = {c.id: c for c in session.stream(asked)}
        monkeypatch.setattr(session, "_room", lambda tokens: 900 // tokens)
        advance = session._advance
        monkeypatch.setattr(session, "_advance", lambda batch: sizes.append(len(batch.live)) or advance(batch))
        assert {c.id: c for c in session.stream(asked)} == texts
    assert max(sizes) == 3


def test_others_begin_where_texts_have_ended(tiny_llama, tmp_path, monkeypatch):
    """One long text and thirty short ones, four at a time: the short ones pass by beside it."""
    long = Request("long", "abcdefghij", 0, Sampling(max_tokens=90))
    short = [Request(f"s{i}", "xy" * (1 + i % 4), i, Sampling(max_tokens=8)) for i in range(30)]
    with TransformersGenerator(dtype="float32", batch_size=4, workers=1).open(tiny_llama, tmp_path) as session:
        alone = {c.id: c for request in (long, *short) for c in session.stream([request])}
        steps, advance = [], session._advance
        monkeypatch.setattr(session, "_advance", lambda batch: steps.append(len(batch.live)) or advance(batch))
        together = list(session.stream([long, *short]))
    assert {c.id: c for c in together} == alone
    assert together[-1].id == "long" and len(steps) == alone["long"].completion_tokens


PASSING_THEN_LONG = [*(("ab", 10 + i % 11) for i in range(60)), *(("a", 200) for _ in range(3))]
LONG_PROMPT = [("a" * 200, 8), *(("ab", 180) for _ in range(5))]


@pytest.mark.parametrize("shapes", [PASSING_THEN_LONG, LONG_PROMPT])
def test_keys_and_values_take_the_memory_that_they_have(tiny_llama, tmp_path, monkeypatch, shapes):
    """Rows and columns that texts took before are not held for long texts that begin, or go on, when these are gone."""
    for module in (decoding_cache, transformers_session):
        monkeypatch.setattr(module, "FIRST_ROOM", 20)
    asked = [Request(f"r{i}", prompt, i, Sampling(max_tokens=limit)) for i, (prompt, limit) in enumerate(shapes)]
    memory, taken = 1_700_000, []
    with TransformersGenerator(dtype="float32", workers=1).open(tiny_llama, tmp_path) as session:
        monkeypatch.setattr(session, "_ends", set())
        monkeypatch.setattr(session, "_room", transformers_session._room(session._model, memory))
        advance = session._advance

        def measured(batch):
            completions = advance(batch)
            taken.append(sum(room.nbytes for layer in batch.cache.layers for room in layer._rooms))
            return completions

        monkeypatch.setattr(session, "_advance", measured)
        assert len(list(session.stream(asked))) == len(asked)
    assert max(taken) <= memory


@pytest.fixture(scope="module")
def three_at_a_time(tiny_llama, tmp_path_factory):
    options = TransformersGenerator(dtype="float32", batch_size=3, workers=1)
    with options.open(tiny_llama, tmp_path_factory.mktemp("cache")) as session:
        yield session


class Shapes:
    """Requests in any order of lengths, with one follow-up for each that has one left."""

    def __init__(self, lengths, limits):
        self.waiting = [
            Request(f"r{i}", "ab" * length, i, Sampling(max_tokens=limit, repetition_penalty=1.1 if i % 3 else 1.0))
            for i, (length, limit) in enumerate(zip(lengths, limits, strict=True))
        ]
        self.asked = []

    def ready(self, room):
        taken, self.waiting = self.waiting[:room], self.waiting[room:]
        self.asked += taken
        return taken

    def hear(self, completion):
        if not completion.id.endswith("+"):
            request = next(r for r in self.asked if r.id == completion.id)
            follow_up = dataclasses.replace(request, id=f"{request.id}+", prompt=request.prompt + completion.text)
            self.waiting.append(follow_up)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 25)), min_size=1, max_size=12))
def test_what_joins_when_changes_no_text(three_at_a_time, shapes):
    conversation, heard = Shapes(*zip(*shapes, strict=True)), []
    for completion in three_at_a_time.converse(conversation.ready):
        heard.append(completion)
        conversation.hear(completion)
    assert len(heard) == 2 * len(shapes)
    for request in conversation.asked:
        assert list(three_at_a_time.stream([request])) == [c for c in heard if c.id == request.id]


def test_a_text_at_the_end_of_what_its_model_takes_ends_alone(tiny_llama, tmp_path):
    """Others go on beside it, and one of nine rows is not given up at once, though the model has no more places."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=258, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, bos_token_id=None,
        eos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    asked = [Request(f"r{i}", "ab", i, Sampling(max_tokens=40)) for i in range(8)]
    asked.append(Request("long", "abcd" * 15, 0, Sampling(max_tokens=40)))
    with TransformersGenerator(dtype="float32", workers=1).open(str(tmp_path), tmp_path) as session:
        session._ends = set()
        alone = {c.id: c for request in asked for c in session.stream([request])}
        assert {c.id: c for c in session.stream(asked)} == alone
    assert (alone["long"].finish_reason, alone["long"].completion_tokens) == ("length", 4)


def test_frequencies_for_long_texts_do_not_hang_on_what_is_written_beside(tiny_llama, tmp_path):
    """Those for texts of more than 40 tokens are taken for all, unless none can be as long."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, Phi3Config, Phi3ForCausalLM

    factors = {"rope_type": "longrope", "rope_theta": 10_000.0, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    config = Phi3Config(
        vocab_size=258, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=160, original_max_position_embeddings=40, rope_parameters=factors,
        initializer_range=0.4, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    Phi3ForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    greedy = Sampling(temperature=0, max_tokens=20)
    asked = [Request(f"r{i}", "abc" * (1 + i % 5), i, greedy) for i in range(10)]
    long = Request("long", "abc" * 40, 0, greedy)
    with TransformersGenerator(dtype="float32", workers=1).open(str(tmp_path), tmp_path) as session:
        alone = {c.id: c for request in asked for c in session.stream([request])}
        together = {c.id: c for c in session.stream([*asked, long])}
        assert {id: together[id] for id in alone} == alone
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    with TransformersGenerator(dtype="float32", workers=1, max_model_len=40).open(str(tmp_path), tmp_path) as session:
        for completion in session.stream(asked):
            inputs = tokenizer(asked[int(completion.id[1:])].prompt, return_tensors="pt")
            own = model.generate(**inputs, do_sample=False, max_new_tokens=20)[0, inputs["input_ids"].shape[1] :]
            assert completion.text == tokenizer.decode(own, skip_special_tokens=True)


def test_a_model_that_looks_at_a_window_writes_batch_by_batch(tiny_llama, tmp_path):
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=258, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=16, initializer_range=0.3, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    MistralForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    asked = list(requests(9))
    with TransformersGenerator(dtype="float32", batch_size=3, workers=1).open(str(tmp_path), tmp_path) as session:
        alone = {c.id: c for request in asked for c in session.stream([request])}
        assert {c.id: c for c in session.stream(asked)} == alone


@pytest.mark.parametrize("heads", [1, 2])
def test_query_heads_that_share_keys_write_what_transformers_own_attention_writes(tmp_path, heads):
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    write_tiny_llama(tmp_path)
    config = LlamaConfig.from_pretrained(tmp_path)
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 4, heads, 16
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    asked = [Request(f"r{i}", "abc" * (i + 1), 0, Sampling(temperature=0, max_tokens=25)) for i in range(5)]
    with TransformersGenerator(dtype="float32").open(str(tmp_path), tmp_path) as session:
        for completion in session.stream(asked):
            inputs = tokenizer(asked[int(completion.id[1:])].prompt, return_tensors="pt")
            own = model.generate(**inputs, do_sample=False, max_new_tokens=25)[0, inputs["input_ids"].shape[1] :]
            assert completion.text == tokenizer.decode(own, skip_special_tokens=True)


def test_a_conversation_asks_what_follows_from_its_answers(session):
    first = Request("first", "0 1 2", seed=4, sampling=Sampling(max_tokens=5))
    waiting, heard = [first], []

    def ready(room):
        taken, waiting[:] = waiting[:room], waiting[room:]
        return taken

    for completion in session.converse(ready):
        heard.append(completion.id)
        if len(heard) < 4:
            waiting.append(
                dataclasses.replace(first, id=f"after {completion.id}", prompt=first.prompt + completion.text)
            )
    assert heard == ["first", "after first", "after after first", "after after after first"]


def test_prompts_that_do_not_fit_are_errors_of_their_own(session):
    asked = [Request("long", "x" * LENGTH, 0), Request("empty", "", 0), Request("fine", "x", 0, Sampling(max_tokens=3))]
    done = {c.id: c for c in session.stream(asked)}
    assert done["long"].error == f"prompt too long: {LENGTH} tokens, and the model takes {LENGTH} with the text"
    assert done["empty"].error == "prompt is empty"
    assert (done["fine"].prompt_tokens, done["fine"].completion_tokens) == (1, 3)


def test_a_text_ends_where_the_model_ends(session):
    [done] = session.stream([Request("a", "x" * (LENGTH - 5), 0, Sampling(max_tokens=50))])
    assert (done.finish_reason, done.completion_tokens) == ("length", 5)


def test_a_broken_model_is_one_clear_message(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="transformers could not load the model"):
        TransformersGenerator().open(str(tmp_path), tmp_path)
    with pytest.raises(UserError, match="given no model"):
        TransformersGenerator().open(None, tmp_path)


def test_a_model_without_keys_and_values_is_refused_before_it_writes(tiny_llama, tmp_path):
    from transformers import AutoTokenizer, MambaConfig, MambaForCausalLM

    MambaForCausalLM(MambaConfig(vocab_size=258, hidden_size=16, num_hidden_layers=1)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"no cache of keys and values \(mamba\)") as told:
        TransformersGenerator(workers=1).open(str(tmp_path), tmp_path)
    assert "generator@synthesis=vllm" in told.value.mend


def test_a_closed_session_is_closed_once_and_says_so(tiny_llama, tmp_path):
    session = TransformersGenerator(dtype="float32", workers=1).open(tiny_llama, tmp_path)
    begun = session.stream(requests(5))
    next(begun)
    session.close()
    session.close()
    for call in (
        lambda: next(begun),
        lambda: list(session.stream(requests(1))),
        lambda: list(session.converse(lambda room: [])),
        session.forget_prompts,
    ):
        with pytest.raises(RuntimeError, match="this transformers session is closed"):
            call()


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        TransformersGenerator(batch_size=0)
