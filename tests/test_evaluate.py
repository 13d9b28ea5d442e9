"""The command that evaluates any model, as a user types it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src import evaluate
from src.core.errors import UserError
from src.core.records import Prediction, read_table
from src.core.stage import Artifact
from src.generation.base import Completion, Generator, Session
from src.pipeline.evaluations import Evaluations, _told
from tests.generation.loopback import serving
from tests.generation.tiny import write_reward_model, write_tiny_llama

ROOT = Path(__file__).parents[1]
ROWS = [{"question": f"What is {n} and 1 ?", "answer": n + 1} for n in range(20)]


@dataclass(frozen=True)
class Answers(Generator):
    """An engine without a model: it adds 1, and gets every `wrong`-th question wrong; 0: it says nothing at all. It
    writes nine tokens, where it may."""

    wrong: int = 1_000

    @property
    def name(self) -> str:
        return "answers"

    @contextmanager
    def open(self, model, cache):
        wrong = self.wrong

        class Adds(Session):
            def stream(self, requests: Iterable) -> Iterator[Completion]:
                for request in requests:
                    if not wrong:
                        yield Completion(request.id, "", "error", error="lost")
                        continue
                    n = int(request.prompt.partition("What is ")[2].split()[0])
                    answer = n + 1 if (n + 1) % wrong else 0
                    text, limit = f"So it is $\\boxed{{{answer}}}$.", request.sampling.max_tokens
                    yield Completion(request.id, text, "stop" if limit >= 9 else "length", 20, min(limit, 9))

        yield Adds()


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "models" / "adder"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def run(tmp_path, questions, capsys):
    """Run the command in this process, with `Answers` for an engine; returns what it printed."""

    def run(*words, wrong=1_000):
        places = [f"outputs={tmp_path}/out", "compute.isolate=false"]
        benchmark = ["benchmark=[jsonl]", f"benchmark.jsonl.path={questions}", "benchmark.jsonl.answer_type=number"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose("evaluate", overrides=[*places, *benchmark, *evaluate.spelled_out(words)])
        config.engine = OmegaConf.create({"_target_": "tests.test_evaluate.Answers", "wrong": wrong})
        evaluate.run(config)
        return capsys.readouterr().out

    return run


@pytest.fixture
def folder_of(tmp_path):
    """The folder of the only evaluation of a name."""

    def folder(name):
        (found,) = (tmp_path / "out" / "evaluations").glob(f"{name}-*")
        return found

    return folder


def command(*words, **environment):
    line = [sys.executable, "-m", "src.evaluate", *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def test_a_model_s_folder_is_all_it_takes(run, model, folder_of):
    printed = run(f"model={model}", wrong=4)
    assert "| jsonl | all | 20 | 75.0 | " in printed
    folder = folder_of("adder")
    assert f"{folder}/" in printed
    row = json.loads((folder / "accuracy.json").read_text())[0]
    assert (row["model"], row["accuracy"], row["n"], row["timeouts"]) == ("adder", 0.75, 20, 0)
    manifest = Artifact(folder).manifest
    assert manifest["counts"] == {"in": 20, "kept": 20, "rejected": {}, "failed": {}}
    assert manifest["config"]["model"]["name"] == str(model)
    assert manifest["metrics"]["completion_tokens"] == 180
    assert {p.reasons[0] for p in read_table(folder / "predictions", Prediction)} == {"string", "different"}
    conditions = json.loads((folder / "conditions.json").read_text())
    assert conditions["speed"][0]["tokens_per_question"] == 9


@pytest.mark.parametrize(("words", "n"), [(["every=10"], 2), (["limit=3"], 3), (["every=2", "limit=3"], 3)])
def test_a_part_of_every_benchmark(run, model, words, n):
    assert f"| jsonl | all | {n} | 100.0 |" in run(f"model={model}", *words)


def test_no_evaluation_replaces_another(run, model, tmp_path):
    other = tmp_path / "others" / "adder"
    other.mkdir(parents=True)
    for name in ("model.safetensors", "tokenizer.json"):
        (other / name).write_text("{}")
    (other / "config.json").write_text('{"another": "model"}')
    run(f"model={model}")
    run(f"model={model}", "limit=3")
    run(f"model={other}")
    folders = sorted((tmp_path / "out" / "evaluations").glob("adder-*"))
    assert len(folders) == 3
    assert sorted(len(list(read_table(f / "predictions", Prediction))) for f in folders) == [3, 20, 20]


def test_the_same_command_again_asks_nothing(run, model):
    run(f"model={model}", wrong=4)
    printed = run(f"model={model}", wrong=4)
    assert "reused" in printed and "| jsonl | all | 20 | 75.0 | " in printed


def test_two_evaluations_are_compared_by_name(run, model):
    run(f"model={model}", "name=A")
    run(f"model={model}", "name=B", wrong=4)
    printed = run("compare=[A,B]")
    assert "| jsonl | 20 | 100.0 | 75.0 | -25.0 (" in printed and "| 0 | 5 | 0.0625 |" in printed
    assert printed.count(", gold ") == 5
    assert "gold 4; A: 1 of 1 right, 4 (string); B: 0 of 1 right, 0 (different)" in printed


@pytest.mark.parametrize("names", ["[A]", "[A,B,C]"])
def test_a_comparison_takes_two(run, names):
    with pytest.raises(UserError, match="two names"):
        run(f"compare={names}")


def test_a_name_of_several_evaluations_is_asked_for_in_full(run, model, tmp_path):
    run(f"model={model}", "name=A")
    run(f"model={model}", "name=A", "limit=3")
    with pytest.raises(UserError, match="2 evaluations are called A") as told:
        run("compare=[A,A]")
    assert "benchmarks.jsonl.limit=3" in told.value.problem
    first, second = sorted(path.name for path in (tmp_path / "out" / "evaluations").glob("A-*"))
    assert "| jsonl | 3 |" in run(f"compare=[{first},{second}]")


def test_what_another_evaluation_lacks_is_told_by_its_name():
    drawn = {"_target_": "src.evaluation.decoding.whole.Independent", "samples": None}
    voted = {"_target_": "src.evaluation.decoding.whole.Majority", "samples": 16}
    mine = {"benchmarks": {"sums": {"n": 9, "seed": 0}, "both": {"n": 1}}, "decoding": voted, "seed": 0}
    theirs = {"benchmarks": {"both": {"n": 1}}, "decoding": drawn, "seed": 0}
    assert list(_told(mine, [mine, theirs], "")) == ["benchmarks.sums", "decoding=majority", "decoding.samples=16"]
    assert list(_told(theirs, [mine, theirs], "")) == ["decoding=sample", "decoding.samples=None"]


def test_answers_are_graded_again_by_name(run, model, tmp_path):
    run(f"model={model}", "name=A", wrong=4)
    assert "| jsonl | all | 20 | 75.0 | " in run("regrade=A")
    assert len(list((tmp_path / "out" / "evaluations").glob("A-*"))) == 2
    assert Evaluations(tmp_path / "out").find("A")[1].manifest["inputs"], "the name means what was graded again"
    assert "0 of 20 different answers" in run("disagreements=A")


def test_disagreements_with_math_verify_are_counted(run, model):
    run(f"model={model}", "name=A", wrong=4)
    assert "0 of 20 different answers" in run("disagreements=A")


def test_the_leaderboard_ranks_all_of_them(run, model, tmp_path):
    run(f"model={model}", "name=worse", wrong=4)
    printed = run(f"model={model}", "name=better")
    page = (tmp_path / "out" / "evaluations" / "index.html").read_text()
    assert str(tmp_path / "out" / "evaluations" / "index.html") in printed
    assert 0 < page.index("better-") < page.index("worse-")
    assert "75.0" in page and "Tokens written" in page


def test_several_samples_show_what_they_allow(run, model):
    printed = run(f"model={model}", "samples=4", "temperature=0.8", wrong=4)
    head, _, row = printed.splitlines()[
        printed.splitlines().index(next(x for x in printed.splitlines() if "group" in x)) :
    ][:3]
    assert "| seeds | pass@2 % | maj@2 % | pass@4 % | maj@4 % |" in head
    assert row.count("75.0") >= 6


def test_the_samples_that_are_typed_hold_for_a_decoding_that_has_its_own(run, model, folder_of):
    printed = run(f"model={model}", "limit=3", "decoding=majority", "samples=4", "temperature=0.9", "name=typed")
    assert "majority of 4, " in printed
    decoding = json.loads((folder_of("typed") / "manifest.json").read_text())["config"]["decoding"]
    assert decoding["temperature"] == 0.9
    again = run(f"model={model}", "limit=3", "decoding=majority", "decoding.samples=4", "decoding.temperature=0.9")
    assert f"{folder_of('typed').name[-8:]}/" in again, "the same evaluation, however it is typed"


@pytest.mark.parametrize(("decoding", "kind"), [("levin", "Levin"), ("best_of_n", "BestOfN")])
def test_a_decoding_is_led_by_the_reward_model_that_is_named(run, model, tmp_path, folder_of, decoding, kind):
    told = f"{decoding} of 4, judge=labels, reward=reward"
    reward = write_reward_model(tmp_path / "reward")
    words = ("limit=3", f"decoding={decoding}", f"decoding.reward={reward}", "decoding.samples=4")
    printed = run(f"model={model}", *words)
    assert f"jsonl: {told}, " in printed and "among the candidates for 100.0 % of the questions" in printed
    (row,) = json.loads((folder_of("adder") / "compute.json").read_text())
    assert row["decoding"] == kind and row["scored_tokens"] > 0
    assert told in (tmp_path / "out" / "evaluations" / "index.html").read_text()
    assert f"adder: corpus, {told}, limit 3" in run("compare=[adder,adder]")


def test_a_budget_too_small_for_one_answer_is_told_with_the_option_that_sets_it(run, model, tmp_path):
    words = ("limit=3", "decoding=levin", "decoding.judge=likelihood", "decoding.samples=1", "decoding.tokens=5")
    printed = run(f"model={model}", *words)
    told = "No complete answer: 3 of 3 questions within decoding.tokens=5, max_tokens."
    assert told in printed.splitlines()
    assert told in (tmp_path / "out" / "evaluations" / "index.html").read_text()


def test_without_a_reward_model_a_search_says_so(run, model):
    with pytest.raises(UserError, match=r"method=reward"):
        run(f"model={model}", "decoding=levin")


def test_two_commands_that_end_together_name_one_evaluation(tmp_path):
    made, together = Artifact(tmp_path / "store" / "evaluate" / "0123456789ab"), threading.Barrier(8)

    def name(_):
        together.wait()
        return Evaluations(tmp_path)._named("A", made)

    with ThreadPoolExecutor(8) as commands:
        for _ in range(30):
            (link,) = set(commands.map(name, range(8)))
            link.unlink()


def test_without_a_model_it_says_so(run):
    with pytest.raises(UserError, match="No model is named"):
        run()


def test_what_is_made_in_a_run_cannot_be_evaluated_before(run):
    with pytest.raises(UserError, match="a Llama of 4 layers and width 96, made in the run"):
        run("model=tiny")


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        (["model=/a/b", "every=2"], ["model=hf", "model.name=/a/b", "every=2"]),
        (["model=org/name"], ["model=hf", "model.name=org/name"]),
        (["model=smollm2_135m"], ["model=smollm2_135m"]),
        (["model=a,b", "-m"], ["model=hf", "model.name=a,b", "-m"]),
        (["model=hf", "model.name=x"], ["model=hf", "model.name=x"]),
        (["model=x", "model.name=x"], ["model=hf", "model.name=x", "model.name=x"]),
    ],
)
def test_a_folder_or_an_option(words, spelled):
    assert evaluate.spelled_out(words) == spelled


def test_two_models_are_refused_whichever_names_they_are_given_by():
    with pytest.raises(UserError, match=r"^model=/a and model\.name=/b: two values of one option"):
        evaluate.spelled_out(["model=/a", "model.name=/b"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["model=/nowhere/at_all"], ["/nowhere/at_all", "there is no such folder"]),
        (["model=x", "benchmark=[gsm9k]"], ["benchmark=gsm9k: no such option; did you mean 'gsm8k'?"]),
        (["model=x", "sample=4"], ["sample: no such option; did you mean 'samples'?"]),
        (["model=x", "samples=4", "shots=-1"], ["4 samples at temperature 0 are all the same"]),
        (["model=x", "prompting=fewshot"], ["prompting: 'fewshot' does not fit"]),
        (["compare=[A,B]", "outputs=/tmp/none"], ["/tmp/none/evaluations/A holds no finished evaluation"]),
        (["generator@engine=openai"], ["the environment variable OPENAI_API_KEY is not set"]),
    ],
)
def test_a_mistake_is_told_plainly(words, expected):
    code, _, told = command(*words)
    assert code == 1
    assert "Traceback" not in told
    for part in expected:
        assert part in told


@pytest.mark.slow
def test_a_bad_row_is_told_by_benchmark_file_and_row(tmp_path, model):
    (tmp_path / "gsm8k.jsonl").write_text(
        '{"question": "1?", "answer": "#### 1"}\n{"question": "2?", "answer": null}\n'
    )
    code, _, told = command(
        f"model={model}",
        "benchmark=[gsm8k]",
        f"benchmark_dir={tmp_path}",
        f"outputs={tmp_path}",
        "compute.isolate=false",
    )
    assert code == 1
    assert told.startswith("Benchmark 'gsm8k': gsm8k.jsonl, line 2: the field 'answer' is null.")


def test_answers_that_never_came_are_told(run, model):
    printed = run(f"model={model}", "every=4", wrong=0)
    assert "5 of 5 answers: the model gave no answer" in printed


def test_programs_are_refused_before_anything_is_asked(run, model, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="apt-get install bubblewrap"):
        run(f"model={model}", "prompting=tool")


@pytest.mark.slow
def test_a_real_model_from_start_to_end(tmp_path, questions):
    model = write_tiny_llama(tmp_path / "tiny")
    benchmark = ["benchmark=[jsonl]", f"benchmark.jsonl.path={questions}"]
    words = [f"model={model}", "generator@engine=transformers", *benchmark, "max_tokens=8", "limit=4"]
    code, printed, told = command(*words, f"outputs={tmp_path}/out", "compute.isolate=false")
    assert code == 0, told
    assert "| jsonl | all | 4 | 0.0 | 0.0\N{EN DASH}" in printed
    (folder,) = (tmp_path / "out" / "evaluations").glob("tiny-*")
    assert len(list(read_table(folder / "predictions", Prediction))) == 4
    assert json.loads((folder / "accuracy.json").read_text())[0]["mean_tokens"] > 0


@pytest.mark.slow
def test_a_served_model_is_examined_and_a_killed_examination_goes_on(tmp_path, questions):
    """Any OpenAI-compatible model; SIGKILL in the middle, the same command again: the same predictions, and no answer
    asked for twice but those that were under way."""
    benchmark = ["benchmark=[jsonl]", f"benchmark.jsonl.path={questions}", "prompting=chat", "samples=2"]
    words = ["generator@engine=vllm_server", "engine.model=served", "engine.concurrency=4", "temperature=1", *benchmark]

    def predictions(out):
        (folder,) = (out / "evaluations").glob("served-*")
        return sorted(map(repr, read_table(folder / "predictions", Prediction)))

    def examined(server, out):
        code, printed, told = command(*words, f"engine.base_url={server.url}", f"outputs={out}")
        assert code == 0, told
        assert "| jsonl | all | 20 |" in printed

    with serving(lambda n, body: "slow") as server:
        line = [sys.executable, "-m", "src.evaluate", *words, f"engine.base_url={server.url}"]
        killed = subprocess.Popen([*line, f"outputs={tmp_path}/killed"], cwd=ROOT, start_new_session=True)
        until = time.monotonic() + 300
        while server.answered.total() < 12:
            assert killed.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        killed.kill()
        killed.wait()
        examined(server, tmp_path / "killed")
        asked_twice = sum(times > 1 for times in server.answered.values())
    assert len(server.answered) == 40
    assert asked_twice <= 8
    with serving() as server:
        examined(server, tmp_path / "whole")
    assert predictions(tmp_path / "killed") == predictions(tmp_path / "whole")


@dataclass(frozen=True)
class Proves(Generator):
    """An engine without a model: of four texts for a theorem one proves it, one fails, one cheats, one is no proof."""

    @property
    def name(self) -> str:
        return "proves"

    @contextmanager
    def open(self, model, cache):
        class Writes(Session):
            def stream(self, requests: Iterable) -> Iterator[Completion]:
                for number, request in enumerate(requests):
                    assert request.prompt.endswith(":= by\n")
                    texts = ("  omega\n", "  simp\n", "  sorry\n", "\n")
                    yield Completion(request.id, texts[number % 4], "stop", 20, 7)

        yield Writes()


def test_theorems_in_lean_are_checked_with_pass_at_k(tmp_path, model, capsys, folder_of):
    told = {"severity": "info", "data": "'b1' depends on axioms: [propext]"}
    exchanges = [
        {"cmd": "import Mathlib", "reply": {"env": 0}},
        {"cmd": "by\n  omega", "reply": {"env": 1}},
        {"cmd": "#print axioms b1", "reply": {"messages": [told], "env": 9}},
        {"cmd": "by\n  simp", "reply": {"messages": [{"severity": "error", "data": "no progress"}], "env": 2}},
    ]
    project, theorems = tmp_path / "project", tmp_path / "miniF2F-lean4" / "MiniF2F" / "Test"
    project.mkdir()
    theorems.mkdir(parents=True)
    (project / "lean-toolchain").write_text("leanprover/lean4:v4.9.0\n")
    (project / "lake-manifest.json").write_text("{}\n")
    (project / "exchanges.json").write_text(json.dumps(exchanges))
    (theorems / "b1.lean").write_text("import Mathlib\n\ntheorem b1 (x : ℕ) (h : 2 * x = 8) : x = 4 := by sorry")
    repl = f"[{sys.executable},{ROOT}/tests/checking/repl.py,{project}/exchanges.json]"
    words = [f"model={model}", "benchmark=[minif2f]", f"benchmark_dir={tmp_path}", "samples=4", "temperature=1"]
    lean = ["checker=lean", f"checker.project={project}", f"+checker.command={repl}", "+checker.programs=unisolated"]

    def asked(*more):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            places = [f"outputs={tmp_path}/out", "compute.isolate=false"]
            config = compose("evaluate", overrides=[*places, *evaluate.spelled_out([*words, *more])])
        config.engine = OmegaConf.create({"_target_": "tests.test_evaluate.Proves"})
        evaluate.run(config)
        return capsys.readouterr().out

    with pytest.raises(UserError, match="The benchmark minif2f asks for proofs in Lean, and no checker"):
        asked()
    with pytest.raises(UserError, match="no checker of them is named"):
        asked("checker=rocq")
    assert "| minif2f | all | 1 | 25.0 | " in asked(*lean)
    folder = folder_of("adder")
    row = json.loads((folder / "accuracy.json").read_text())[0]
    assert (row["pass@2"], row["pass@4"], row["mean_tokens"]) == (0.5, 1.0, 7)
    (prediction,) = read_table(folder / "predictions", Prediction)
    assert prediction.reasons == ["proof", "no proof", "refused", "no answer"]
    assert "| minif2f | all | 1 | 25.0 | " in asked("regrade=adder")
