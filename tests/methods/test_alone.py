"""The stages alone, in this process: what becomes of rows that another tool wrote, and which line each result is of."""

import gzip
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.core.errors import UserError
from src.core.store import Store
from src.core.tracking import NoTracker
from src.pipeline.launch import Local
from src.pipeline.runner import Runner
from src.reporting.lines import write_lines
from tests.generation.tiny import write_tiny_llama
from tests.pipeline.composed import composed, nodes_of, planned

pytestmark = pytest.mark.slow

QUESTIONS = [f"Ann has {n} apples and buys {2 * n} more at the market. How many apples has she?" for n in range(3, 15)]
SOLUTIONS = [f"She has {n} + {2 * n} = {3 * n} apples.\n\nThe answer is $\\boxed{{{3 * n}}}$." for n in range(3, 15)]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def rows(tmp_path):
    """Twelve problems in the format of a training set; the fifth lacks its solution, the last line is no JSON."""
    found = [{"in": f"## Question\n{q}\n\n## Solution\n", "out": a} for q, a in zip(QUESTIONS, SOLUTIONS, strict=True)]
    found[4]["out"] = None
    path = write(tmp_path / "mine.jsonl", found)
    path.write_text(path.read_text() + "{broken\n")
    return path


FIELDS = ("fields.question=in", "fields.solution=out")


def run(tmp_path, stage, rows, *words):
    """The lines of the results by file, and the artifacts by node."""
    config = composed(f"stage={stage}", f"rows={rows}", "study=mine", *words, config="stage")
    nodes = list(nodes_of(config).values())
    tracker = NoTracker().start("s", "n", "i", {}, tmp_path)
    store, compute = Store(tmp_path / "store"), Local(isolate=False)
    made = Runner(store, compute, tracker, tmp_path / "cache", "test", lambda _: None).walk(nodes)
    files = [path for path in write_lines(list(made.values()), tmp_path / "lines") if path.is_file()]
    return {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in files}, made


def line(row):
    return int(row["place"].rpartition(":")[2])


def test_rows_are_cleaned_and_compared_with_a_benchmark(tmp_path, rows):
    exam = write(tmp_path / "exam.jsonl", [{"question": QUESTIONS[7], "answer": "30"}])
    found, made = run(tmp_path, "clean", rows, *FIELDS, "benchmark=[jsonl]", f"benchmark.jsonl.path={exam}")
    assert {line(row) for row in found["kept.jsonl"]} == {1, 2, 3, 4, 6, 7, 9, 10, 11, 12}
    assert found["kept.jsonl"][0]["question"] in QUESTIONS
    assert [(line(row), row["reason"]) for row in found["left_out.jsonl"]] == [(8, "contaminated by jsonl")]
    assert made["rows"].manifest["counts"]["rejected"] == {"no field 'out'": 1, "invalid JSON": 1}
    bad = [json.loads(text) for text in (made["rows"].path / "bad_rows.jsonl").read_text().splitlines()]
    assert [line(row) for row in bad] == [5, 13]


def test_all_rows_are_ranked_and_none_is_lost(tmp_path, rows):
    text = json.dumps({"in": "A question?", "out": "```python\nprint(1)"})
    rows.write_text(text + "\n" + rows.read_text())
    found, made = run(tmp_path, "select", rows, *FIELDS, "selector=length", "selector.fraction=0.5")
    assert made.keys() == {"rows", "select"}, "a ranking by length reads no model, so none is made"
    ranking, skipped = found["ranking.jsonl"], found["skipped.jsonl"]
    assert [row["rank"] for row in ranking] == list(range(1, 12))
    scores = [row["overall"] for row in ranking]
    assert scores == sorted(scores, reverse=True)
    assert sum(row["chosen"] for row in ranking) == 6
    assert [(line(row), row["reason"]) for row in skipped] == [(1, "unclosed code block")]


def test_answers_are_graded(tmp_path):
    given = [("3", "So it is \\boxed{3}."), ("1/2", "The answer is 0.5"), ("7", "\\boxed{8}"), ("7", "I do not know.")]
    rows = write(tmp_path / "answers.jsonl", [{"gold": gold, "prediction": text} for gold, text in given])
    found, made = run(tmp_path, "evaluate", rows)
    assert {line(row): row["correct"] for row in found["graded.jsonl"]} == {1: True, 2: True, 3: False, 4: False}
    assert made["evaluate"].manifest["metrics"] == {"answers/accuracy": 0.5}


def test_the_same_row_twice_is_two_rows(tmp_path):
    rows = write(tmp_path / "twice.jsonl", [{"gold": "1", "prediction": "1"}] * 3)
    found, made = run(tmp_path, "evaluate", rows)
    assert Counter(line(row) for row in found["graded.jsonl"]) == {1: 1, 2: 1, 3: 1}
    assert made["rows"].count("passages") == 3


def test_rows_without_the_named_fields_say_so(tmp_path, rows):
    with pytest.raises(UserError, match=r"No row can be read: 12 x no field 'question'"):
        run(tmp_path, "clean", rows)


def estimates(stage, *words):
    """By node, as a plan tells them."""
    nodes = nodes_of(composed(f"stage={stage}", "study=mine", *words, config="stage"))
    return {name: each.estimate() for name, each in planned(nodes).items()}


@pytest.mark.parametrize("saved", ["jsonl", "parquet", "arrow"])
def test_a_plan_counts_the_tokens_of_rows_that_are_not_read_yet(tmp_path, saved):
    table = pa.table({"question": QUESTIONS * 30, "solution": SOLUTIONS * 30})
    path = tmp_path / f"mine.{saved}"
    if saved == "jsonl":
        write(path, table.to_pylist())
    elif saved == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table, max_chunksize=50)
    rows, chars = (f"rows={path}", f"reader={saved}"), 30 * sum(map(len, QUESTIONS + SOLUTIONS))
    once = estimates("pretrain", *rows, "pretrain.recipe.epochs=1", "sft=none")["pretrain"]["tokens"]
    assert once == pytest.approx(chars / 2.8, rel=0.01)
    assert estimates("pretrain", *rows, "pretrain.recipe.epochs=3", "sft=none")["pretrain"]["tokens"] == 3 * once
    words = ("selector.checkpoints=2", "selector.warmup_fraction=0.1", "selector.warmup.epochs=1", "selector=influence")
    assert estimates("select", *rows, *words)["select"]["tokens"] == pytest.approx(2.1 * once)
    texts = ("fields.text=question", "+generate.samples_per_prompt=2", "generate.sampling.tool.max_tokens=100")
    assert estimates("generate", *rows, *texts)["generate"]["tokens"] == pytest.approx(360 * 2 * 512, rel=0.01)
    assert estimates("generate", *rows, *texts, "+generate.prompts=5")["generate"]["tokens"] == 5 * 2 * 512
    assert (
        estimates("pretrain", *rows, "+pretrain.expected_tokens=7", "pretrain.recipe.epochs=1")["pretrain"]["tokens"]
        == 7
    )


def test_what_cannot_be_counted_is_left_out_of_a_plan(tmp_path):
    """A compressed file is not unpacked for a plan, and a file that is not there is told by another check."""
    with gzip.open(tmp_path / "mine.jsonl.gz", "wt") as file:
        file.write(json.dumps({"question": QUESTIONS[0], "solution": SOLUTIONS[0]}))
    for name in ("mine.jsonl.gz", "nowhere.jsonl"):
        assert "tokens" not in estimates("pretrain", f"rows={tmp_path / name}", "pretrain.recipe.epochs=1")["pretrain"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["~fields.solution"], "fields: fields must say where the rows hold solution"),
        (["+fields.anwser=a"], "fields of problems are question, solution, stage, kind, not anwser"),
    ],
)
def test_a_mapping_is_checked_before_anything_is_read(tmp_path, rows, words, told):
    with pytest.raises(UserError, match=told):
        run(tmp_path, "clean", rows, *words)


@pytest.fixture
def model(tmp_path):
    return ("model=hf", f"model.name={write_tiny_llama(tmp_path / 'model')}")


def test_prompts_are_continued(tmp_path, rows, model):
    most = ("generator@synthesis=transformers", "generate.sampling.cot.max_tokens=8")
    found, _ = run(tmp_path, "generate", rows, "fields.text=in", *model, *most)
    assert {line(row) for row in found["texts.jsonl"]} == set(range(1, 13))
    assert all(0 < row["tokens"] <= 8 for row in found["texts.jsonl"])


def test_a_model_is_trained_on_rows(tmp_path, rows, model):
    words = ("trainer=cpu", "pretrain.recipe.sequence_length=256")
    _, made = run(tmp_path, "pretrain", rows, *FIELDS, *model, *words)
    assert (made["pretrain"].path / "model" / "model.safetensors").exists()
    assert made["pretrain"].manifest["counts"]["kept"] == 11


def test_key_points_are_named_and_new_problems_written_for_ones_own_rows(tmp_path):
    question = "Tom has {} apples. He finds 4 more and then gives 3 to Anna. How many apples does Tom have now?"
    solved = [{"question": question.format(n), "solution": f"The answer is \\boxed{{{n + 1}}}."} for n in range(12, 40)]
    solved += [{"question": "What is the greatest common divisor of 12 and 18?", "solution": "It is \\boxed{6}."}]
    mine = write(tmp_path / "solved.jsonl", solved)
    found, _ = run(tmp_path, "key_points", mine)
    assert {line(row) for row in found["key_points.jsonl"]} == set(range(1, 30))
    assert all(row["topic"] and row["key_points"] for row in found["key_points.jsonl"])
    found, made = run(tmp_path, "consensus", mine, "compositions.count=30", "answers.samples=4")
    problems = found["problems.jsonl"]
    assert problems and all(1 <= line(row) <= 29 and row["answer"] in row["solution"] for row in problems)
    assert not {row["question"] for row in problems} & {row["question"] for row in solved}
    assert made["key_points"].manifest["counts"]["kept"] == 29
