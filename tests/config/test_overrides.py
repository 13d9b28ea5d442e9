import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.config import overrides, resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CommandLine, compose_command


@pytest.fixture(autouse=True)
def registered():
    schema.register()
    resolvers.register()


def composed(*words):
    mistakes = Mistakes()
    return compose_command(CommandLine.parse(words), "config", mistakes), mistakes


@pytest.mark.parametrize("words", [["method=puzzle", "puzzles.rows=7"], ["method=puzzle", "puzzles.share=0.5"]])
def test_an_option_of_the_chosen_method_is_set_as_any_other(words):
    found, mistakes = composed(*words)
    assert not mistakes
    key, _, value = words[1].rpartition("=")
    assert found.jobs[0].puzzles[key.removeprefix("puzzles.")] == float(value)


def test_an_option_of_another_method_is_none():
    _, mistakes = composed("method=direct", "puzzles.rows=7")
    assert mistakes[0].startswith("puzzles.rows: no such option")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sed=1"], ["sed: no such option; did you mean 'seed'?"]),
        (["selector=influnce"], ["selector=influnce: no such option; did you mean 'influence'?"]),
        (["selector=influence,randm", "-m"], ["selector=randm: no such option; did you mean 'random'?"]),
        (["generator@teacher=opnai"], ["generator@teacher=opnai: no such option; did you mean 'openai'?"]),
        (["plan.now=1"], ["plan.now=1: 'plan' is a value and has no options"]),
        (["+experiment=ablation_no_influenc"], ["+experiment=ablation_no_influenc: no such option; did you mean"]),
        (["sed=1", "selector=randm", "selector.x=1"], ["selector=randm: no such option", "sed: no such option"]),
        (["selector=null", "clean=5"], ["selector=null: no such option; it has", "clean=5: no such option"]),
        (["+sed=1", "++hydr.x=1"], ["sed: no such option; did you mean 'seed'", "hydr.x: no such option"]),
        (["~selector", "~seed"], ["~selector: the method needs it", "~seed: the method needs it"]),
        (["+experiment=ablation_decay_mix", "method=puzzle"], ["recipe/puzzle/laptop_phases: what is chosen together"]),
        (["~sed"], ["sed: no such option"]),
        (
            ["+round_1.calls=5", "-m", "seed=0,1"],
            ["+round_1.calls=5: round_1.calls has a value already; without the plus it takes another: round_1.calls=5"],
        ),
        (["+scale=paper"], ["+scale=paper: scale has a value already; without the plus it takes another: scale=paper"]),
        (
            ["experiment=search"],
            ["experiment=search: nothing is chosen for it yet; a plus adds it: +experiment=search"],
        ),
        (
            ["clean=[basic,off]"],
            ["clean=[basic,off]: clean takes one option, no list; a sweep tries several: -m clean="],
        ),
        (
            ["model=path/to/smollm2_135"],
            [
                "model=path/to/smollm2_135: no such option; did you mean 'smollm2_135m'? "
                "(a folder or hub name: model=hf model.name=path/to/smollm2_135)$"
            ],
        ),
        (["synthesizer=small_"], ["synthesizer=small_: no such option; did you mean 'small'?$"]),
        (["teacher=openai"], ["teacher=openai: teacher is filled by a group: generator@teacher=openai"]),
        (["generator=openai"], ["generator=openai: a generator is chosen for a place: generator@synthesis=openai or"]),
        (["seed=abc"], ["seed=abc: Value 'abc' of type 'str' could not be converted to Integer"]),
        (["seed=1,2"], ["seed=1,2: several values are a sweep with -m$"]),
        (["clean=basic,off"], ["clean=basic,off: several values are a sweep with -m$"]),
        (
            ["benchmark=gsm8k,math"],
            ["benchmark=gsm8k,math: several values are a sweep with -m, or one list in brackets:"],
        ),
        (
            ["corpus=jsonl", "corpus.files=a,b"],
            ["corpus.files=a,b: several values are a sweep with -m, or one list in brackets: corpus.files=[a,b]"],
        ),
        (["primary=a,b"], ["primary=a,b: several values are a sweep with -m, or one list in brackets: primary=[a,b]"]),
        (
            ["plan=maybe", "verbose=yess"],
            ["plan=maybe: plan takes true or false", "verbose=yess: verbose takes true or false"],
        ),
        (["study", "=", "mine"], ["study = mine: no blanks around '=': write key=value"]),
        (
            ["corpus.files=a=b"],
            ["corpus.files=a=b: Hydra cannot read this value (mismatched input '=' expecting <EOF>)"],
        ),
        (["study"], ["study: this sets nothing: write key=value"]),
        (["hydra/launcher=jobli"], ["hydra/launcher=jobli: no such option; did you mean 'job"]),
        (["hydra.swep.dir=x"], ["hydra.swep.dir: no such option; did you mean 'sweep'?"]),
        (["outputs=/proc/x"], ["outputs: nothing can be written in '/proc'; choose another folder: outputs=..."]),
    ],
)
def test_every_mistake_is_named_with_what_to_type_instead(words, expected):
    _, found = composed(*words)
    assert len(found) == len(expected)
    for line, start in zip(found, expected):
        assert f"{line}$".startswith(start)


def test_a_text_with_an_equals_sign_is_taken_in_the_quotes_that_are_advised():
    ((job,), mistakes) = composed("corpus=jsonl", 'corpus.files="a=b.jsonl"')[0].jobs, []
    assert job.corpus.files == "a=b.jsonl" and not mistakes


@pytest.mark.parametrize(
    ("program", "plain", "full"),
    [
        ("evaluate", "samples=8", "decoding.samples=4"),
        ("evaluate", "every=2", "benchmark.procedural_seen.every=3"),
        ("evaluate", "system=a", "engine.system=b"),
        ("config", "evaluate.temperature=0.5", "decoding.temperature=0.7"),
        ("config", "evaluate.samples=4", "decoding.samples=1,4"),
    ],
)
def test_two_values_of_one_option_are_refused_whatever_names_it_is_given_by(program, plain, full):
    for words in ([plain, full], [full, plain]):
        mistakes = Mistakes()
        compose_command(CommandLine.parse([*words, *(["-m"] if "," in full else [])]), program, mistakes)
        assert mistakes == [f"{plain} and {full}: two values of one option; take one of them away"]


@pytest.mark.parametrize(
    "words",
    [
        ["seed=1", "seed=2"],
        ["clean=off", "clean=basic"],
        ["distil.share=0.1", "++distil.share=0.3"],
        ["generator@teacher=openai", "generator@teacher=procedural"],
        ["-m", "seed=1,2", "seed=3"],
        ["-m", "seed=1,2", "seed=1,2"],
        ["+experiment=methods", "+experiment=ablation_rounds"],
    ],
)
def test_an_option_that_is_typed_twice_is_refused_instead_of_going_by_the_last(words):
    _, mistakes = composed(*words)
    one, other = (word.removeprefix("++") for word in words[-2:])
    assert mistakes[0] == f"{one} and {other}: two values of one option; take one of them away"


def test_a_section_may_be_taken_away_and_given_anew():
    found, mistakes = composed("~distil.sampling", "++distil.sampling={temperature: 0.5}")
    assert not mistakes and found.jobs[0].distil.sampling == {"temperature": 0.5}


def test_the_same_value_may_be_typed_twice():
    found, mistakes = composed("seed=3", "++seed=3", "distil.share=0.5", "++distil.share=0.5")
    assert not mistakes and [job.seed for job in found.jobs] == [3]


def test_one_value_may_be_given_by_both_names():
    mistakes = Mistakes()
    words = ["samples=4", "decoding.samples=4", "max_tokens=9", "benchmark.procedural_seen.every=3"]
    (job,) = compose_command(CommandLine.parse(words), "evaluate", mistakes).jobs
    assert not mistakes and job.samples == job.decoding.samples == 4
    words = ["decoding=majority", "decoding.samples=null", "samples=4"]  # null leaves it to the evaluation
    (job,) = compose_command(CommandLine.parse(words), "evaluate", mistakes).jobs
    assert not mistakes and (job.samples, job.decoding.samples) == (4, None)


def test_an_option_that_no_file_mentions_has_its_plain_name():
    found, mistakes = composed("pretrain.unchecked=allow", "trainer.threads=1", "corpus.where={batch: a, b: c}")
    assert not mistakes
    (job,) = found.jobs
    assert (job.pretrain.unchecked, job.trainer.threads, job.corpus.where) == ("allow", 1, {"batch": "a", "b": "c"})


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (["--cfg", "job"], [0]),
        (["hydra.run.dir=/tmp/x", "benchmark=[gsm8k,rg_countdown]"], [0]),
        (["seed=1,2", "-m", "data_seed=3,4"], [1, 1, 2, 2]),
        (["+experiment=ablation_rounds", "seed=4"], [4, 4]),
        (["+hydra.job.config.x=1", 'selector="random"'], [0]),
    ],
)
def test_flags_may_stand_anywhere_and_a_sweep_is_composed_whole(words, jobs):
    found, mistakes = composed(*words)
    assert not mistakes
    assert [job.seed for job in found.jobs] == jobs


@pytest.mark.parametrize(
    ("typed", "shares"),
    [("clean.share=0.5", [0.5]), ("clean.share=0.5,0.25", [0.5, 0.25]), ("++clean.share=0.125", [0.125])],
)
def test_one_arm_of_an_experiment_is_asked_for_by_its_value(typed, shares):
    found, mistakes = composed("+experiment=ablation_data_volume", "-m", typed, "seed=1")
    assert not mistakes
    assert [(job.clean.share, job.seed) for job in found.jobs] == [(share, 1) for share in shares]
    assert typed.removeprefix("++") in (found.overrides or [])  # and so is it run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study: {calls: 3\n", "broken.yaml, line 3: this is not YAML: expected ',' or '}'"),
        ("seed: ${nothing.here}\n", "refers to what is not there: Interpolation key 'nothing.here' not found"),
    ],
)
def test_a_broken_option_file_is_named(monkeypatch, tmp_path, text, words):
    shutil.copytree(overrides.CONF, tmp_path / "conf")
    (tmp_path / "conf/experiment/broken.yaml").write_text(f"# @package _global_\n{text}")
    monkeypatch.setattr(overrides, "CONF", tmp_path / "conf")
    _, (mistake,) = composed("+experiment=broken")
    assert words in mistake


@pytest.mark.parametrize("words", [["-m", "model.name=x"], ["seed=1,2", "-m"], ["hydra.mode=MULTIRUN"]])
def test_a_command_without_sweeps_refuses_them(words):
    mistakes = Mistakes()
    compose_command(CommandLine.parse(words), "evaluate", mistakes, sweeps=False)
    assert mistakes == ["-m: this command has no sweeps; type the command once for each value"]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("seed=1,2", "seed=1,2: this takes one value; type the command once for each value"),
        ("benchmark=gsm8k,math", "benchmark=gsm8k,math: a list stands in brackets: benchmark=[gsm8k,math]"),
        ("compare=A,B", "compare=A,B: a list stands in brackets: compare=[A,B]"),
    ],
)
def test_several_values_are_told_by_what_the_option_takes(word, told):
    mistakes = Mistakes()
    compose_command(CommandLine.parse([word]), "evaluate", mistakes, sweeps=False)
    assert mistakes == [told]


@pytest.mark.parametrize(
    ("program", "words"), [("config", []), ("stage", ["stage=clean", "rows=x.jsonl"]), ("evaluate", ["model.name=x"])]
)
def test_no_client_library_tells_of_its_calls(program, words):
    (job,) = compose_command(CommandLine.parse(words), program, Mistakes()).jobs
    assert job.hydra.job_logging.root.level == "WARNING"
    assert job.hydra.job_logging.loggers.src.level == "INFO"


def test_a_folder_in_ones_home_is_meant_where_the_shell_leaves_it():
    command = CommandLine.parse(["outputs=~/x", "model.name=~/y", "seed=1"])
    assert command.overrides == [f"outputs={Path.home()}/x", f"++model.name={Path.home()}/y", "seed=1"]


def test_a_folder_in_ones_home_may_stand_in_an_option_file(monkeypatch, tmp_path):
    shutil.copytree(overrides.CONF, tmp_path / "conf")
    (tmp_path / "conf/setting/mine.yaml").write_text("# @package _global_\noutputs: ~/x\n")
    monkeypatch.setattr(overrides, "CONF", tmp_path / "conf")
    found, mistakes = composed("+setting=mine")
    assert not mistakes
    assert found.jobs[0].hydra.run.dir == f"{Path.home()}/x/runs/demo/main-s0"


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs bubblewrap to make a read-only world")
def test_a_folder_that_cannot_be_written_is_named():
    command = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", sys.executable, "-m", "src.train", "outputs=/usr/x/y"]
    ran = subprocess.run(command, cwd=overrides.CONF.parent, capture_output=True, text=True, timeout=120)
    if ran.returncode and "bwrap:" in ran.stderr:
        pytest.skip(f"bubblewrap does not work here: {ran.stderr}")
    assert "outputs: nothing can be written in '/usr'; choose another folder: outputs=..." in ran.stderr
