import gzip
import json

import pytest

from src.core.errors import UserError
from src.core.records import Passage
from src.corpus.huggingface import HuggingFaceReader

pytest.importorskip("datasets")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    data = tmp_path / "data"
    data.mkdir()
    rows = [
        {"q": "Q" * 9, "a": "A" * 9, "source": "stack" if i % 2 else "other", "meta": {"score": i / 10}}
        for i in range(10)
    ]
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data


def read(**options):
    rows = list(HuggingFaceReader(**options).read())
    return [r for r in rows if isinstance(r, Passage)], [r for r in rows if not isinstance(r, Passage)]


def test_a_folder_in_ones_home_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    good, _ = read(name="~/data", text="{q}{a}")
    assert len(good) == 10
    reader = HuggingFaceReader(name="~/data", text="{q}{a}")
    assert reader.pinned() == reader and list(reader.identity()) == ["train.jsonl"]


def test_rows_are_chosen_by_value_and_score_and_the_rest_is_accounted_for(folder):
    good, left_out = read(
        name=str(folder),
        text="{q:.3}{a:.2}",
        where={"source": "stack"},
        score="meta.score",
        min_score=0.3,
        max_score=0.7,
        meta={"score": "meta.score"},
        source="se",
    )
    assert [p.meta["score"] for p in good] == ["0.3", "0.5", "0.7"]
    assert {(p.text, p.source) for p in good} == {("QQQAA", "se")}
    assert len(left_out) == 7 and not any(row.broken for row in left_out)
    assert {row.reason for row in left_out} == {"source is not stack", "meta.score below 0.3", "meta.score above 0.7"}


def test_data_files_choose_among_a_folders_files(folder):
    (folder / "books").mkdir()
    with gzip.open(folder / "books" / "a.jsonl.gz", "wt") as packed:
        packed.write('{"q": "from a book"}\n')
    good, _ = read(name=str(folder), data_files="books/*", text="q")
    assert [p.text for p in good] == ["from a book"]


def test_limit_stops_the_stream(folder):
    good, _ = read(name=str(folder), text="q", limit=4)
    assert len(good) == 4


def test_a_missing_score_is_a_bad_row(folder):
    good, bad = read(name=str(folder), text="q", score="quality", min_score=0.5)
    assert not good and {row.reason for row in bad} == {"no number in 'quality'"} and all(row.broken for row in bad)


def test_an_unknown_split_is_one_error_that_names_the_data_set(folder):
    with pytest.raises(UserError, match=f"The data set '{folder}' cannot be read"):
        read(name=str(folder), split="tset")


def cut_off(monkeypatch, folder, at):
    """`owner/data` is the folder, read over a line that breaks at the given rows, each time it is asked for one."""
    import datasets

    load, left = datasets.load_dataset, list(at)

    def row(example):
        if example["n"] in left:
            left.remove(example["n"])
            raise ConnectionError("the line is dead")
        return example

    monkeypatch.setattr(datasets, "load_dataset", lambda name, *args, **kw: load(str(folder), *args, **kw).map(row))
    monkeypatch.setattr("src.corpus.huggingface.FIRST_WAIT", 0.0)
    monkeypatch.setattr("src.corpus.huggingface.NOTED", 4)
    return left


def numbered(folder):
    for file in range(3):
        rows = (json.dumps({"q": f"row {n}", "n": n}) + "\n" for n in range(5 * file, 5 * file + 5))
        (folder / f"train-{file}.jsonl").write_text("".join(rows))


def test_reading_the_hub_goes_on_where_it_was_cut_off(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    numbered(tmp_path)
    left = cut_off(monkeypatch, tmp_path, [3, 3, 5, 14])
    good, bad = read(name="owner/data", text="q")
    assert [p.text for p in good] == [f"row {n}" for n in range(15)] and not bad and not left
    assert "owner/data was cut off after row 3 (the line is dead)" in caplog.text


@pytest.mark.parametrize("at", [[0], [7] * 9])
def test_a_line_that_stays_dead_or_never_lived_is_one_error(tmp_path, monkeypatch, at):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    numbered(tmp_path)
    cut_off(monkeypatch, tmp_path, at)
    with pytest.raises(UserError, match="The data set 'owner/data' cannot be read: the line is dead"):
        read(name="owner/data", text="q")


def test_identity_of_a_local_folder_follows_its_files(folder):
    before = HuggingFaceReader(str(folder)).identity()
    (folder / "train.jsonl").write_text("{}\n")
    assert before != HuggingFaceReader(str(folder)).identity()
    assert HuggingFaceReader("owner/data").identity() == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_score": 0.5}, "need score"),
        ({"score": "s", "min_score": 0.9, "max_score": 0.1}, "lies above"),
        ({"limit": 0}, "at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HuggingFaceReader("owner/data", **options)
