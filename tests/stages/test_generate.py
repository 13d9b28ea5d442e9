import pytest

from src.core.errors import UserError
from src.core.records import Generation, Problem, Prompt, read_table
from src.core.stage import Artifact
from src.stages.generate import Generate
from tests.stages.writers import Killed, Scripted, artifact, context, prompts, table_bytes

SAMPLING = {"cot": {"temperature": 1.0}}


def generate(tmp_path, rows, name="a", try_=0, exclude=(), **options):
    scripted = {k: options.pop(k) for k in ("backwards", "lifetime", "heal") if k in options}
    inputs = {
        "prompts": artifact(tmp_path / "prompts", "prompts", Prompt, rows),
        "synthesizer": Artifact(tmp_path / "synthesizer"),
    }
    if exclude:
        inputs["exclude"] = artifact(tmp_path / "exclude", "problems", Problem, exclude)
    stage = Generate(Scripted(tmp_path / name / "log", **scripted), **{"sampling": SAMPLING, **options})
    ctx = context(tmp_path / name, try_, **inputs)
    stage.run(ctx)
    ctx.tally.check()
    return ctx


def generations(ctx):
    return list(read_table(ctx.out / "generations", Generation))


def test_texts_carry_their_lineage_and_are_sorted(tmp_path):
    ctx = generate(tmp_path, prompts(6) + prompts(2, "cut"))
    rows = generations(ctx)
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    assert {(row.prompt_id, row.passage_id, row.stage, row.kind, row.tokens) for row in rows} == {
        (p.id, p.passage_id, p.stage, p.kind, 20) for p in prompts(6) + prompts(2, "cut")
    }
    assert ctx.summary.pop("tokens_per_second") > 0
    assert ctx.summary == {"tokens": 160, "finish/length": 0.25, "finish/stop": 0.75}


def test_the_engine_gets_the_synthesizers_model_and_its_prompt_format(tmp_path):
    generate(tmp_path, prompts(1))
    opened, request = (tmp_path / "a" / "log").read_text().splitlines()
    assert opened == f"open {tmp_path / 'synthesizer' / 'model'}"
    assert request.endswith(r"'Passage 0, please\n\n'")


def test_samples_of_a_prompt_have_seeds_of_their_own(tmp_path):
    rows = generations(generate(tmp_path, prompts(4), samples_per_prompt=3))
    assert len({row.id for row in rows}) == len({row.text for row in rows}) == 12


def test_excluded_prompts_are_left_out_of_the_draw(tmp_path):
    written = [Problem("x", p.id, "", "", "", "", "", None, "", 1) for p in prompts(10)[:7]]
    rows = generations(generate(tmp_path, prompts(10), exclude=written, prompts=5))
    assert {row.prompt_id for row in rows} == {p.id for p in prompts(10)[7:]}


def test_the_bytes_depend_neither_on_order_nor_on_kills(tmp_path):
    whole = generate(tmp_path, prompts(30), "whole", prompts=25, backwards=True)
    for try_ in range(2):
        with pytest.raises(Killed):
            generate(tmp_path, prompts(30), "killed", try_, prompts=25, lifetime=9)
    last = generate(tmp_path, prompts(30), "killed", 2, prompts=25)
    assert table_bytes(last.out / "generations") == table_bytes(whole.out / "generations")
    assert {k: v for k, v in last.summary.items() if k != "tokens_per_second"} == {
        k: v for k, v in whole.summary.items() if k != "tokens_per_second"
    }


def test_nothing_left_to_ask_starts_no_engine(tmp_path):
    generate(tmp_path, prompts(5))
    generate(tmp_path, prompts(5), try_=1)
    log = (tmp_path / "a" / "log").read_text()
    assert [line.split()[0] for line in log.splitlines()].count("open") == 1


def test_no_prompts_is_one_clear_message(tmp_path):
    written = [Problem("x", p.id, "", "", "", "", "", None, "", 1) for p in prompts(2)]
    with pytest.raises(UserError, match="no prompts to write problems for"):
        generate(tmp_path, prompts(2), exclude=written)


@pytest.mark.parametrize("options", [{"prompts": 0}, {"samples_per_prompt": 0}, {"max_failed": -1}, {"sampling": {}}])
def test_options_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Generate(**{"engine": Scripted(tmp_path / "log"), "sampling": SAMPLING, **options})


def test_the_estimate_is_an_upper_bound_of_tokens(tmp_path):
    stage = Generate(Scripted(tmp_path / "log"), {"cot": {"max_tokens": 100}}, prompts=7, samples_per_prompt=2)
    assert stage.estimate() == {"tokens": 1400}


@pytest.mark.slow
@pytest.mark.vllm
def test_the_synthesizers_folder_is_loaded_by_vllm(tmp_path):
    from src.generation.vllm import VLLMGenerator
    from tests.generation.tiny import write_tiny_llama

    write_tiny_llama(tmp_path / "synthesizer" / "model")
    inputs = {
        "prompts": artifact(tmp_path / "prompts", "prompts", Prompt, prompts(20)),
        "synthesizer": Artifact(tmp_path / "synthesizer"),
    }
    ctx = context(tmp_path / "a", **inputs)
    Generate(VLLMGenerator(dtype="float32", kv_cache_gb=0.1), {"cot": {"max_tokens": 10}}).run(ctx)
    ctx.tally.check()
    assert {(row.generator, row.tokens) for row in generations(ctx) if row.finish_reason == "length"} == {("vllm", 10)}
