import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.core.errors import UserError
from src.core.stage import StageContext
from src.corpus.jsonl import JsonlReader
from src.corpus.parquet import ParquetReader
from src.stages.rows import UserRows

FIELDS = {"gold": "gold", "prediction": "prediction"}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_all_fields_that_are_lacking_are_told_before_anything_is_read(tmp_path, kind):
    path = tmp_path / f"rows.{kind}"
    row = {"golden": "3", "output": "4"}
    if kind == "jsonl":
        path.write_text(json.dumps(row) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    reader = JsonlReader(str(path)) if kind == "jsonl" else ParquetReader(str(path))
    with pytest.raises(UserError) as error:
        UserRows(reader, "predictions", FIELDS).check_inputs({})
    assert error.value.problem == f"'{path}' has no field 'gold' and 'prediction'."
    assert error.value.mend == "It has: golden, output. Name them: fields.gold=golden fields.prediction=NAME"


@pytest.mark.parametrize(
    ("there", "fields", "advice"),
    [
        ("problem solution", {}, "fields.question=problem"),
        ("instruction output", {}, "fields.question=instruction fields.solution=output"),
        ("questions input answer", {}, "fields.question=questions fields.solution=answer"),
        ("solution text", {"solution": "text"}, "fields.question=NAME"),
        ("prompt solution", {"solution": "prompt"}, "fields.question=NAME"),
        ("query", {"solution": "nothing"}, "fields.question=query fields.solution=NAME"),
    ],
)
def test_a_part_is_looked_for_in_fields_that_hold_no_other(tmp_path, there, fields, advice):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(dict.fromkeys(there.split(), "x")) + "\n")
    rows = UserRows(JsonlReader(str(path)), "problems", {"question": "question", "solution": "solution", **fields})
    with pytest.raises(UserError) as error:
        rows.check_inputs({})
    assert error.value.mend == f"It has: {', '.join(there.split())}. Name them: {advice}"


def test_a_field_that_only_some_rows_have_is_there(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"gold": "3"}\n{"gold": "3", "prediction": {"text": "4"}}\n')
    UserRows(JsonlReader(str(path)), "predictions", {**FIELDS, "prediction": "prediction.text"}).check_inputs({})


@pytest.mark.parametrize(
    ("text", "problem", "mend"),
    [
        ("", "There is no row in ", "Name a file that holds rows."),
        ("hello\n", "No row can be read: 1 x invalid JSON.", "A row is one JSON object on one line"),
        ("[1]\n", "No row can be read: 1 x not an object with fields.", "A row is one JSON object on one line"),
        ('{"gold": [3], "prediction": "x"}\n', "No row can be read: 1 x field 'gold' is list", "fields.gold=NAME"),
        ('{"gold": NaN, "prediction": "x"}\n', "No row can be read: 1 x no field 'gold'", "fields.gold=NAME"),
        ('{"gold": true, "prediction": "x"}\n', "No row can be read: 1 x field 'gold' is bool", "fields.gold=NAME"),
    ],
)
def test_why_there_is_no_row_is_told(tmp_path, text, problem, mend):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    with pytest.raises(UserError) as error:
        UserRows(JsonlReader(str(path)), "predictions", FIELDS).run(
            StageContext(tmp_path / "out", tmp_path / "work", {}, tmp_path / "cache")
        )
    assert error.value.problem.startswith(problem) and mend in error.value.mend


def test_an_empty_prediction_and_a_number_for_an_answer_are_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    given = [{"gold": 3, "prediction": "So it is 3."}, {"gold": "4", "prediction": " "}, {"gold": 0.5, "prediction": 1}]
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    context = StageContext(tmp_path / "out", tmp_path / "work", {}, tmp_path / "cache")
    UserRows(JsonlReader(str(path)), "predictions", FIELDS).run(context)
    found = pq.read_table(tmp_path / "out" / "predictions").to_pylist()
    assert [(row["gold"], row["samples"]) for row in found] == [("3", ["So it is 3."]), ("4", [""]), ("0.5", ["1"])]
    assert (context.tally.kept, context.tally.rejected.total()) == (3, 0)
