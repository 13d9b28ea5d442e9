import dataclasses
import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config import build as config
from src.core.errors import UserError
from src.evaluation.benchmark import Benchmark, FileBenchmark, HubBenchmark, ProceduralBenchmark, ReasoningGym
from src.evaluation.drawn import gym_entries
from src.evaluation.grading import grade
from src.evaluation.requests import load_questions
from src.generation.procedural.size import Size
from src.prompts.sets import STAGES
from src.puzzles.expressions import solves
from tests.watchdog import ends

CONF = Path(__file__).resolve().parents[2] / "conf" / "benchmark"
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "benchmarks"
FIELDS = {"question": "q", "answer": "a"}
OPEN = {"jsonl": {"path": "x.jsonl"}}  # options that the user has to give


def options():
    return sorted(path.stem for path in CONF.glob("*.yaml"))


@cache
def composed(name: str):
    """What the option adds to the group, as it stands in the folder of options."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name)


def build(name: str, **changes) -> Benchmark:
    return config.build(OmegaConf.to_container(OmegaConf.merge(composed(name)[name], changes), resolve=True))


@pytest.fixture
def table(tmp_path):
    def write(*rows, name="rows.jsonl", **changes):
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return FileBenchmark(**{"path": str(path), "fields": FIELDS, **changes})

    return write


@pytest.mark.parametrize("name", options())
def test_every_option_names_itself_and_can_be_built(name):
    assert list(composed(name)) == [name]
    assert (CONF / f"{name}.yaml").read_text().startswith("# ")
    benchmark = build(name, **OPEN.get(name, {}))
    assert isinstance(benchmark, Benchmark)
    assert isinstance(benchmark.stop, tuple)
    assert benchmark.source


def test_the_paper_has_seventeen_benchmarks_in_words_and_seven_with_a_tool():
    words = "gsm8k math math500 svamp asdiv mawps carp_en tabmwp minerva_math aqua sat_math mmlu_stem"
    beyond = "gsm_symbolic olympiadbench college_math gaokao2023en amc23 aime24"
    tool = [name for name in options() if build(name, **OPEN.get(name, {})).style == "tool"]
    assert {*words.split(), *beyond.split()} <= set(options())
    assert tool == sorted(f"{n}_tool" for n in ["gsm8k", "math", "svamp", "asdiv", "mawps", "tabmwp", "gsm_hard"])


def test_with_a_tool_the_questions_are_the_same():
    plain, tool = build("gsm8k_tool"), build("gsm8k")
    assert dataclasses.replace(tool, style="tool") == plain


@pytest.mark.parametrize("name", [n for n in options() if (DATA / f"{n}.jsonl").is_file() and n != "jsonl"])
def test_published_files_are_read(name):
    benchmark = build(name, benchmark_dir=str(DATA))
    questions = benchmark.questions()
    assert len(questions) == sum(1 for _ in (DATA / f"{name}.jsonl").open())
    assert len({q.id for q in questions}) == len(questions) == benchmark.size_hint()
    if benchmark.answer_type == "choice":
        assert all(q.choices and q.gold in "ABCDE"[: len(q.choices)] for q in questions)


def test_ids_depend_on_content_and_twins_are_told_apart(table):
    one, two = {"q": "1+1?", "a": 2}, {"q": "1+2?", "a": 3}
    first, second = table(one, two, one).questions(), table(two, one, one, name="b.jsonl").questions()
    assert {q.id for q in first} == {q.id for q in second}
    assert len({q.id for q in first}) == 3


def test_a_limit_is_a_sample_that_does_not_depend_on_the_rest(table):
    rows = [{"q": f"{i}?", "a": i} for i in range(50)]
    few, more = table(*rows, limit=5).questions(), table(*rows, limit=20).questions()
    assert len(few) == 5
    assert set(few) <= set(more)
    assert [q.text for q in table(*rows, every=10).questions()] == ["0?", "10?", "20?", "30?", "40?"]


@pytest.mark.parametrize("changes", [{}, {"every": 7}, {"limit": 5}, {"limit": 5, "every": 3}, {"limit": 99}])
def test_a_plan_knows_how_many_questions_are_asked(table, changes):
    rows = [{"q": f"{i}?", "a": i} for i in range(50)]
    assert table(*rows, published=50, **changes).size_hint() == len(table(*rows, **changes).questions())
    assert table(*rows).size_hint() == 0


def test_templates_numbers_and_choices(table):
    row = {"Body": "Two apples", "Question": "How many?", "Answer": 2.0, "options": ["A)two", "B)three"]}
    fields = {"question": "{Body}. {Question}", "answer": "Answer"}
    question = table(row, fields=fields).questions()[0]
    assert (question.text, question.gold) == ("Two apples. How many?", "2")
    fields = {"question": "Question", "answer": "letter", "choices": "options"}
    question = table({**row, "letter": "B"}, fields=fields, answer_type="choice").questions()[0]
    assert (question.choices, question.gold) == (("two", "three"), "B")
    question = table({**row, "letter": 1}, fields=fields, answer_type="choice").questions()[0]
    assert question.gold == "B"


@pytest.mark.parametrize(
    ("rows", "changes", "match"),
    [
        (['{"q": "1?", "a": null}'], {}, r"rows\.jsonl, line 1: the field 'a' is null"),
        (['{"q": "1?", "a": NaN}'], {}, r"rows\.jsonl, line 1: the field 'a' is NaN"),
        (['{"q": "1?", "a": [NaN]}'], {}, r"rows\.jsonl, line 1: the field 'a' is empty"),
        ([f'{{"q": "1?", "a": {"9" * 5_000}}}'], {}, r"line 1 is no JSON that can be read: .* thousands of digits"),
        (['{"q": "1?", "a": 1}', '{"q": "", "a": 1}'], {}, r"line 2: the field 'q' is empty"),
        (['{"problem": "1?", "a": 1}'], {}, r"line 1: there is no field 'q', but: a, problem"),
        (['{"q": "1?", "a"'], {}, r"line 1 is no JSON"),
        (["[1, 2]"], {}, r"line 1 holds list"),
        ([], {}, r"rows\.jsonl is empty"),
        (['{"q": "1?", "a": "no mark"}'], {"answer_from": "hashes"}, r"line 1: no answer can be read"),
        (['{"q": "1?", "a": "ZZ"}'], {"answer_type": "choice"}, r"names none of the choices"),
        (['{"q": "1?", "a": "1"}'], {"keep": {"a": "2"}}, r"holds no question"),
    ],
)
def test_bad_rows_are_named(table, rows, changes, match):
    with pytest.raises(UserError, match=match) as error:
        table(*rows, **changes).questions()
    assert error.value.mend


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.jsonl"):
        FileBenchmark(path=str(tmp_path / "gone.jsonl"), fields=FIELDS).identity()


@pytest.mark.parametrize("name", ["tabmwp", "carp_en", "sat_math", "mawps"])
def test_a_missing_published_file_says_where_it_comes_from(tmp_path, name):
    with pytest.raises(UserError) as told:
        build(name, benchmark_dir=str(tmp_path)).questions()
    assert f"{name}.jsonl" in told.value.problem and f"{name}/test.jsonl" in told.value.problem
    assert f"https://github.com/QwenLM/Qwen2.5-Math/tree/main/evaluation/data/{name}" in told.value.problem


@pytest.mark.parametrize("place", ["mawps.jsonl", "mawps/test.jsonl"])
def test_a_file_lies_under_its_name_or_as_the_published_harnesses_keep_it(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text('{"input": "1 + 1?", "target": 2.0, "type": "addsub"}\n')
    assert build("mawps", benchmark_dir=str(tmp_path)).questions()[0].gold == "2"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path, name):
    row = '{"q": "1?", "a": 1}'
    (tmp_path / name).write_text(row if name.endswith("l") else f"[{row}]", encoding="utf-8-sig")
    assert FileBenchmark(path=str(tmp_path / name), fields=FIELDS).questions()[0].gold == "1"


@pytest.mark.parametrize(
    ("answer", "changes", "gold"),
    [
        (["2", "3"], {}, "2, 3"),
        ([2.0], {}, "2"),
        (["$(1,2)$", "$(2,1)$"], {}, "$(1,2)$, $(2,1)$"),
        (["So #### 4", "So #### 5"], {"answer_from": "hashes"}, "4, 5"),
    ],
)
def test_all_of_several_gold_answers_count(table, answer, changes, gold):
    [question] = table({"q": "?", "a": answer}, **changes).questions()
    assert question.gold == gold
    assert grade(question.gold, gold).correct


def test_one_of_several_gold_answers_is_not_enough(table):
    [question] = table({"q": "?", "a": ["$2$", "$3$"]}).questions()
    assert grade(question.gold, "3 or 2").correct
    assert not grade(question.gold, "2").correct


def test_more_choices_than_ten(table):
    choices = [f"choice {n}" for n in range(12)]
    fields = {**FIELDS, "choices": "c"}
    question = table({"q": "?", "a": "L", "c": choices}, fields=fields, answer_type="choice").questions()[0]
    assert (question.gold, len(question.choices)) == ("L", 12)


def test_more_choices_than_letters_are_refused(table):
    row = {"q": "?", "a": "B", "c": [str(n) for n in range(27)]}
    with pytest.raises(UserError, match="there are 27 choices, and 26 letters"):
        table(row, fields={**FIELDS, "choices": "c"}, answer_type="choice").questions()


def test_what_cannot_be_had_from_the_hub_is_named(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"nobody/nothing.*split 'test'"):
        HubBenchmark(repo="nobody/nothing", fields=FIELDS).questions()


def hub_copy(folder, *rows):
    """A data set in the hub's shape on this disk: what `datasets` loads by its path."""
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


@pytest.mark.parametrize(
    ("rows", "changes", "match"),
    [
        ([{"q": "1?", "a": "1"}], {"split": "dev"}, r"split 'dev', cannot be loaded: Unknown split \"dev\""),
        ([{"problem": "1?", "a": "1"}], {}, r"test, row 1: there is no field 'q', but: a, problem"),
        ([{"q": "1?", "a": "1"}, {"q": "2?", "a": None}], {}, r"test, row 2: the field 'a' is null"),
    ],
)
def test_a_data_set_that_changed_is_told_by_split_and_row(rows, changes, match, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    benchmark = HubBenchmark(repo=hub_copy(tmp_path / "set", *rows), fields=FIELDS, **changes)
    with pytest.raises(UserError, match=match) as error:
        load_questions({"sums": benchmark})
    assert error.value.problem.startswith("Benchmark 'sums': ")


@pytest.mark.parametrize(
    "changes", [{"fields": {"question": "q"}}, {"fields": {**FIELDS, "x": "y"}}, {"limit": 0}, {"every": 0}]
)
def test_senseless_options_are_refused(changes):
    with pytest.raises(ValueError):
        FileBenchmark(**{"path": "x", "fields": FIELDS, **changes})


def test_dev_examples_are_training_rows(tmp_path):
    train = tmp_path / "gsm8k_train.jsonl"
    train.write_text(json.dumps({"question": "1+1?", "answer": "It is <<1+1=2>>2.\n#### 2"}) + "\n")
    example = next(iter(build("gsm8k", benchmark_dir=str(tmp_path)).dev_examples()))
    assert example.prompt == "## Question\n1+1?\n\n## Solution\n"
    assert example.response == "It is 2.\nThe answer is $\\boxed{2}$."


def test_a_benchmark_without_a_dev_part_says_so(table):
    with pytest.raises(UserError, match="no training or dev part"):
        list(table({"q": "1?", "a": 1}).dev_examples())


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Nothing is kept; the function forgets what this process has drawn, and gives the folder where drawings lie."""

    def forget(folder="a"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / folder))
        gym_entries.cache_clear()
        return tmp_path / folder

    forget()
    yield forget
    gym_entries.cache_clear()


@pytest.mark.parametrize("name", [n for n in options() if n.startswith("rg_")])
def test_reasoning_gym_draws_the_same_questions_twice(name, draw, monkeypatch):
    questions = build(name, size=5).questions()
    draw("b")
    assert questions == build(name, size=5).questions()
    assert len(questions) == 5
    draw("a")
    with monkeypatch.context() as patch:
        patch.setattr("src.evaluation.drawn._draw", lambda *_: pytest.fail("drawn again"))
        assert questions == build(name, size=5).questions(), "read as they were drawn"
        with pytest.raises(pytest.fail.Exception, match="drawn again"):
            build(name, size=5, seed=1).questions()
    dev = list(build(name, size=5).dev_examples())
    assert dev
    assert not {q.text for q in questions} & {e.prompt.split("\n")[1] for e in dev}


def test_what_was_drawn_by_another_version_or_is_damaged_is_drawn_again(draw, monkeypatch):
    questions = build("rg_chain_sum", size=5).questions()
    (kept,) = draw().rglob("*.json")
    whole = kept.read_text()
    for damaged in (whole[:-9], "null", "[]", "{}", '[{"question": "1 + 1?"}]', "[1, 2, 3, 4, 5]"):
        kept.write_text(damaged)
        draw()
        assert build("rg_chain_sum", size=5).questions() == questions
    draw()
    monkeypatch.setattr("src.evaluation.drawn.gym_version", lambda: "another")
    monkeypatch.setattr("src.evaluation.drawn._draw", lambda *_: [{"question": "1 + 1?", "answer": "2"}])
    assert [q.gold for q in build("rg_chain_sum", size=5).questions()] == ["2"]


def test_a_machine_that_lets_nothing_be_kept_asks_the_same_questions(draw, tmp_path, monkeypatch):
    questions = build("rg_chain_sum", size=5).questions()
    (tmp_path / "no folder").write_text("")
    draw("no folder")
    assert build("rg_chain_sum", size=5).questions() == questions
    gym_entries.cache_clear()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("src.evaluation.drawn.Path.home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert build("rg_chain_sum", size=5).questions() == questions


def test_countdown_solutions_solve_their_puzzles():
    import reasoning_gym

    entries = reasoning_gym.create_dataset("countdown", size=5, seed=0, min_numbers=3, max_numbers=4)
    for entry, question in zip(entries, build("rg_countdown", size=5).questions()):
        assert solves(question.gold, entry["answer"]) == (True, "number")


def test_an_unknown_gym_data_set_is_a_user_error():
    with pytest.raises(UserError, match="no_such"):
        ReasoningGym(dataset="no_such").questions()


def test_procedural_splits_share_no_question():
    pytest.importorskip("src.generation.procedural.sets")
    splits = {s: ProceduralBenchmark(split=s, n=40).questions() for s in ("seen", "unseen", "dev")}
    texts = [q.text for questions in splits.values() for q in questions]
    assert len(texts) == len(set(texts)) == 120
    assert not {q.subject for q in splits["seen"]} & {q.subject for q in splits["unseen"]}


LAPTOP = {"families": 1, "numbers": 0.35}
NUMBER_THEORY = {"families": 3, "numbers": 0.6, "fields": ["Number Theory", "Counting and Probability"]}


@pytest.mark.parametrize("size", [LAPTOP, NUMBER_THEORY], ids=["laptop", "number theory"])
@pytest.mark.parametrize("name", ["procedural_seen", "procedural_unseen", "procedural_dev"])
def test_procedural_exams_are_the_mean_of_their_stages(name, size):
    exam = build(name, size=size)
    stages = Counter(q.stage for q in exam.questions())
    assert max(stages.values()) - min(stages.values()) <= 1
    assert {*stages, *exam.unasked_stages()} == set(STAGES)
    assert bool(exam.unasked_stages()) == ("fields" in size)


def test_a_procedural_exam_with_too_few_questions_is_told_before_anything_runs():
    exam = ProceduralBenchmark(split="seen", n=4_000, size=Size(**LAPTOP))
    with pytest.raises(UserError, match=r"as many of each education stage: .*middle_school"):
        exam.identity()
    with pytest.raises(UserError, match="4000 dev problems"):
        exam.check_dev()


def test_stages_without_a_question_are_named(caplog):
    exam = build("procedural_seen", size=NUMBER_THEORY, n=8)
    load_questions({"exam": exam})
    assert "exam asks nothing of grade_school, middle_school, high_school, amc12: " in caplog.text
    caplog.clear()
    load_questions({"exam": build("procedural_seen", size=LAPTOP, n=8)})
    assert not caplog.text


def test_an_exam_is_drawn_without_going_through_all_problems():
    """Some 0.3 s on one core, with the count of every family's problems."""
    exam = ProceduralBenchmark(split="seen", size=Size(families=1, numbers=0.34))  # which nothing has counted before
    with ends():
        assert exam.questions()
