"""One stage on files that another tool wrote, as a user types it; the results lead back to the lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.stage import main, spelled_out
from tests.generation.tiny import write_tiny_llama

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["clean", "rows=a/my.jsonl"], ["stage=clean", "rows=a/my.jsonl", "reader=jsonl", "name='my'"]),
        (["select", "rows=my.parquet"], ["stage=select", "rows=my.parquet", "reader=parquet", "name='my'"]),
        (["clean", "rows=my.jsonl.gz"], ["stage=clean", "rows=my.jsonl.gz", "reader=jsonl", "name='my'"]),
        (
            ["clean", "rows=[a.parquet,b.parquet]"],
            ["stage=clean", "rows=[a.parquet,b.parquet]", "reader=parquet", "name='a'"],
        ),
        (["clean", "rows=x", "reader=parquet", "name=n"], ["stage=clean", "rows=x", "reader=parquet", "name=n"]),
        (["-m", "outputs=o", "clean", "rows=x"], ["-m", "outputs=o", "stage=clean", "rows=x"]),
        (["clean", "--help"], ["stage=clean", "--help"]),
        (["--help", "clean", "selector"], ["--help", "stage=clean", "selector"]),
        (["--help", "selector"], ["--help", "selector"]),
        (["--help"], ["--help"]),
    ],
)
def test_a_command_is_spelled_out(typed, meant):
    assert spelled_out(typed)[: len(meant)] == meant


def test_a_stage_that_there_is_not_is_told():
    with pytest.raises(UserError, match=r"no stage 'claen' to run alone\.\n.*There are: clean, consensus, evaluate"):
        spelled_out(["claen", "rows=x"])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "No stage is named.\n  -> Name one: python -m src.stage clean rows=FILES"),
        (["rows=my.jsonl"], "No stage is named.\n  -> Name one: python -m src.stage clean rows=my.jsonl"),
        (["--cfg", "job"], "No stage is named."),
        (
            ["clean"],
            "Which rows is the stage 'clean' to read?\n  -> Name a file or a glob: python -m src.stage clean rows=",
        ),
    ],
)
def test_what_is_lacking_is_asked_for_in_words_that_can_be_typed(typed, told):
    with pytest.raises(UserError) as error:
        spelled_out(typed)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["clean", "--help"], "clean.share  float  = 1.0"),
        (["--help", "clean"], "reading.form  problems|prompts|predictions  required  (chosen: problems)"),
    ],
)
def test_help_needs_no_rows(typed, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["src.stage", *typed])
    main(typed)
    assert shown in capsys.readouterr().out


def test_a_folder_that_datasets_saved_is_read_by_its_files(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dataset_info.json").write_text("{}")
    words = spelled_out(["clean", f"rows={tmp_path}/mine"])
    assert words == ["stage=clean", f"rows='{tmp_path}/mine/*.arrow'", "reader=arrow", "name='mine'"]


def test_a_folder_of_splits_is_told_with_each_of_them(tmp_path):
    (tmp_path / "dataset_dict.json").write_text("{}")
    for split in ("test", "train"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "dataset_info.json").write_text("{}")
    with pytest.raises(UserError, match=f"Name one of them: rows={tmp_path}/test or rows={tmp_path}/train"):
        spelled_out(["clean", f"rows={tmp_path}"])


@pytest.mark.slow
def test_the_command_s_own_help_needs_no_stage():
    done = subprocess.run([sys.executable, "-m", "src.stage", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("One stage on rows of your own") and done.returncode == 0


@pytest.mark.parametrize(("name", "start"), [("a.pq", b""), ("b.jsonl", b"PAR1")])
def test_parquet_is_known_by_its_name_or_its_first_bytes(tmp_path, name, start):
    (tmp_path / name).write_bytes(start)
    assert "reader=parquet" in spelled_out(["clean", f"rows={tmp_path}/{name}"])


QUESTIONS = [
    f"Ann has {n} apples and buys {2 * n} more at the market. How many apples has she now?" for n in range(3, 15)
]
SOLUTIONS = [f"She has {n} + {2 * n} = {3 * n} apples.\n\nThe answer is $\\boxed{{{3 * n}}}$." for n in range(3, 15)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The same rows as JSON Lines, as Parquet and as a folder; one row asks a benchmark's question, one lacks its
    solution."""
    datasets = pytest.importorskip("datasets")
    folder = tmp_path_factory.mktemp("exported")
    rows = [{"q": q, "a": a, "n": i} for i, (q, a) in enumerate(zip(QUESTIONS, SOLUTIONS, strict=True))]
    rows[4]["a"] = None
    found = datasets.Dataset.from_list(rows)
    found.to_json(folder / "mine.jsonl")
    found.to_parquet(folder / "mine.parquet")
    found.save_to_disk(folder / "mine")
    asked = {"question": QUESTIONS[7], "answer": "30"}
    (folder / "exam.jsonl").write_text(json.dumps(asked) + "\n")
    write_tiny_llama(folder / "model")
    return folder


def run(folder, *words):
    command = [sys.executable, "-m", "src.stage", *words, f"outputs={folder}/outputs", "tracker=none"]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [*command, "compute.isolate=false"], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def results_of(exported, stage, name):
    """The folder of the only results of that name."""
    (found,) = (exported / "outputs/stages" / stage).glob(f"{name}-*")
    return found


FIELDS = ("fields.question=q", "fields.solution=a")


@pytest.mark.slow
@pytest.mark.parametrize("file", ["mine.jsonl", "mine.parquet", "mine"])
def test_rows_are_cleaned_and_compared_with_a_benchmark(exported, file):
    exam = ("benchmark=[jsonl]", f"benchmark.jsonl.path={exported}/exam.jsonl")
    run(exported, "clean", f"rows={exported}/{file}", *FIELDS, *exam, f"name={file.replace('.', '_')}")
    results = results_of(exported, "clean", file.replace(".", "_"))
    kept, left = lines(results / "kept.jsonl"), lines(results / "left_out.jsonl")
    assert len(kept) == 10
    assert [row["reason"] for row in left] == ["contaminated by jsonl"]
    assert left[0]["place"].endswith(("mine.jsonl:8", "row 8"))


@pytest.mark.slow
def test_every_line_of_the_file_is_told_where_it_went(tmp_path):
    question = "Tom has 3 apples and buys 4 more. How many apples does he have?"
    solutions = ("3 + 4 = 7, so it is $\\boxed{7}$.", "He has $\\boxed{7}$, for 3 + 4 = 7.")
    written = [json.dumps({"q": question, "a": solution}) for solution in solutions]
    (tmp_path / "few.jsonl").write_text("\n".join([*written, "no JSON"]) + "\n")
    printed = run(tmp_path, "clean", f"rows={tmp_path}/few.jsonl", *FIELDS)
    results = results_of(tmp_path, "clean", "few")
    (left,) = lines(results / "left_out.jsonl")
    places = {left["place"], left["twin"]}
    assert places == {f"{tmp_path}/few.jsonl:1", f"{tmp_path}/few.jsonl:2"}
    assert left["twin"] in {row["place"] for row in lines(results / "kept.jsonl")}
    assert [row["place"] for row in lines(results / "bad_rows.jsonl")] == [f"{tmp_path}/few.jsonl:3"]
    assert f"{results}/bad_rows.jsonl" in printed
    assert "1 row left out: 1 " in printed
    assert "One stage ran on rows of your own." in printed


@pytest.mark.slow
def test_rows_are_ranked(exported):
    words = ("selector=loss", "model=hf", f"model.name={exported}/model", "selector.max_length=200")
    run(exported, "select", f"rows={exported}/mine.jsonl", *FIELDS, *words)
    results = results_of(exported, "select", "mine")
    ranking, skipped = lines(results / "ranking.jsonl"), lines(results / "skipped.jsonl")
    assert [row["rank"] for row in ranking] == list(range(1, 12))
    assert [row["overall"] for row in ranking] == sorted((row["overall"] for row in ranking), reverse=True)
    assert {row["place"].rpartition(":")[2] for row in ranking} == {str(n) for n in range(1, 13) if n != 5}
    assert skipped == []


@pytest.mark.slow
def test_prompts_are_continued(exported):
    engine = ("generator@synthesis=transformers", "model=hf", f"model.name={exported}/model")
    most = ("generate.sampling.cot.max_tokens=8",)
    run(exported, "generate", f"rows={exported}/mine.jsonl", "fields.text=q", *engine, *most)
    texts = lines(results_of(exported, "generate", "mine") / "texts.jsonl")
    assert len(texts) == 12
    assert {row["place"].rpartition(":")[2] for row in texts} == {str(n) for n in range(1, 13)}
    assert all(0 < row["tokens"] <= 8 for row in texts)


@pytest.mark.slow
def test_a_model_is_trained_on_rows(exported):
    words = ("model=hf", f"model.name={exported}/model", "trainer=cpu", "pretrain.recipe.sequence_length=256")
    said = run(exported, "pretrain", f"rows={exported}/mine.parquet", *FIELDS, *words)
    (model,) = (exported / "outputs/store/pretrain").glob("*/model")
    assert (model / "model.safetensors").exists()
    assert str(model) in said
    packs = lines(results_of(exported, "pretrain", "mine") / "packs.jsonl")
    assert {row["place"].rpartition(" ")[2] for row in packs} == {str(n) for n in range(1, 13) if n != 5}


def write_answers(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"gold": gold, "prediction": given}) + "\n" for gold, given in rows))


@pytest.mark.slow
def test_answers_are_graded_and_each_file_has_its_own_accuracy(exported):
    rows = [("3", "So it is \\boxed{3}."), ("1/2", "The answer is 0.5"), ("7", "\\boxed{8}"), ("7", "I do not know.")]
    write_answers(exported / "answers.jsonl", rows)
    write_answers(exported / "other" / "answers.jsonl", rows[:2])
    said = run(exported, "evaluate", f"rows={exported}/answers.jsonl")
    assert "answers: 50.0 % of 4 answers are right" in said
    (first,) = (exported / "outputs/stages/evaluate").iterdir()
    said = run(exported, "evaluate", f"rows={exported}/other/answers.jsonl")
    assert "answers: 100.0 % of 2 answers are right" in said and "50.0" not in said
    (second,) = {*(exported / "outputs/stages/evaluate").iterdir()} - {first}
    assert [len(lines(folder / "graded.jsonl")) for folder in (first, second)] == [4, 2]
    assert {row["place"].rpartition(":")[2]: row["correct"] for row in lines(first / "graded.jsonl")} == {
        "1": True,
        "2": True,
        "3": False,
        "4": False,
    }
    page = (exported / "outputs/reports" / f"evaluate-{first.name}" / "index.html").read_text()
    assert "50.0" in page and "No arm shares" not in page
