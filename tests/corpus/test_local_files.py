"""JSON Lines and Parquet readers: good rows, bad rows, missing files."""

import bz2
import gzip
import json
import lzma
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.core.errors import UserError
from src.core.records import Passage
from src.corpus import json_array
from src.corpus.arrow import ArrowReader
from src.corpus.base import BadRow
from src.corpus.files import find_files
from src.corpus.jsonl import JsonlReader
from src.corpus.parquet import ParquetReader


def split(reader):
    rows = list(reader.read())
    return [r for r in rows if isinstance(r, Passage)], [r for r in rows if isinstance(r, BadRow)]


def test_jsonl_maps_fields_to_text_source_and_meta(tmp_path):
    file = tmp_path / "notes.jsonl"
    file.write_text(json.dumps({"title": "Primes", "page": {"body": "Two is prime.", "url": "u"}}) + "\n")
    reader = JsonlReader(str(file), text="{title}\n\n{page.body:.6}", meta={"url": "page.url", "author": "author"})
    (passage,), bad = split(reader)
    assert (passage.text, passage.source, passage.meta) == ("Primes\n\nTwo is", "notes", {"url": "u"})
    assert bad == []


def test_every_broken_line_is_reported_with_its_number_and_reason(tmp_path):
    lines = [
        b'{"text": "fine"}',
        b'{"text": "torn',
        b'{"text": "caf\xe9"}',
        b'{"body": "elsewhere"}',
        b'{"text": "  "}',
        b'{"text": 7}',
        b'{"text": null}',
        b'{"text": "half \\ud83d"}',
        b'{"text": "n\\u0000l"}',
        b'["text"]',
        b'{"text": "' + b"x" * 300 + b'"}',
        b"",
        b'{"text": "fine too"}',
    ]
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(b"\n".join(lines))
    good, bad = split(JsonlReader((str(file),), max_line_bytes=200))
    assert [p.text for p in good] == ["fine", "fine too"]
    assert [(b.place.rpartition(":")[2], b.reason) for b in bad] == [
        ("2", "invalid JSON"),
        ("3", "invalid UTF-8"),
        ("4", "no field 'text'"),
        ("5", "empty text"),
        ("6", "field 'text' is int, not text"),
        ("7", "no field 'text'"),
        ("8", "damaged characters"),
        ("9", "damaged characters"),
        ("10", "not an object with fields"),
        ("11", "line longer than 200 bytes"),
    ]
    assert all(b.broken and b.place.startswith(str(file)) for b in bad)


def test_a_number_of_five_thousand_digits_is_a_bad_row(tmp_path):
    file = tmp_path / "digits.jsonl"
    file.write_text(f'{{"text": "fine", "n": {"7" * 5_000}}}\n{{"text": "fine too"}}\n')
    good, bad = split(JsonlReader(str(file)))
    assert [p.text for p in good] == ["fine too"] and [b.reason for b in bad] == ["invalid JSON"]


def test_a_ten_megabyte_line_is_skipped_without_being_held(tmp_path):
    file = tmp_path / "long.jsonl"
    file.write_bytes(b'{"text": "' + b"x" * 10_000_000 + b'"}\n{"text": "short"}\n')
    tracemalloc.start()
    good, bad = split(JsonlReader(str(file), max_line_bytes=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [p.text for p in good] == ["short"]
    assert [b.reason for b in bad] == ["line longer than 100,000 bytes"]
    assert peak < 6_000_000


def test_a_line_of_exactly_the_limit_is_read(tmp_path):
    file = tmp_path / "a.jsonl"
    line = b'{"text": "abc"}'
    file.write_bytes(line + b"\n" + line)
    good, bad = split(JsonlReader(str(file), max_line_bytes=len(line)))
    assert len(good) == 2 and not bad


def test_globs_are_read_in_sorted_order_and_gzip_is_opened(tmp_path):
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as packed:
        packed.write('{"text": "second"}\n')
    (tmp_path / "a.jsonl").write_text('{"text": "first"}\n')
    good, _ = split(JsonlReader(f"{tmp_path}/*.jsonl*"))
    assert [(p.source, p.text) for p in good] == [("a", "first"), ("b", "second")]


def test_a_truncated_gzip_file_is_one_clear_error(tmp_path):
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"text": "x"}\n' * 1000)[:-10])
    with pytest.raises(UserError, match=r"a\.jsonl\.gz' is damaged"):
        list(JsonlReader(str(file)).read())


def zstd(content: bytes) -> bytes:
    frame = pa.BufferOutputStream()
    with pa.CompressedOutputStream(frame, "zstd") as packed:
        packed.write(content)
    return frame.getvalue().to_pybytes()


def test_zstd_files_are_read_frame_after_frame(tmp_path):
    rows = [b'{"text": "row %d"}\n' % n for n in range(2_000)]
    (tmp_path / "a.jsonl.zst").write_bytes(zstd(b"".join(rows[:900])) + zstd(b"".join(rows[900:])))
    reader = JsonlReader(str(tmp_path / "a.jsonl.zst"))
    good, bad = split(reader)
    assert [p.text for p in good] == [f"row {n}" for n in range(2_000)] and not bad
    assert {p.source for p in good} == {"a"}
    assert reader.size_hint() is None and next(reader.field_names())[1] == ["text"]


@pytest.mark.parametrize("content", [zstd(b'{"text": "x"}\n' * 1000)[:-10], b"no zstd at all"])
def test_a_damaged_zstd_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "a.jsonl.zst").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.jsonl\.zst' is damaged"):
        list(JsonlReader(str(tmp_path / "a.jsonl.zst")).read())


PACKED = {"gz": gzip.compress, "zst": zstd, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("name", ["a.jsonl.{}", "A.JSONL.{}", "a.jsonl"])
def test_a_compressed_file_is_read_whatever_its_name(tmp_path, name, packing):
    file = tmp_path / name.format(packing.upper() if name.isupper() else packing)
    file.write_bytes(PACKED[packing](b'{"text": "x"}\n'))
    reader = JsonlReader(str(file))
    (passage,), bad = split(reader)
    assert (passage.text, passage.source.lower()) == ("x", "a") and not bad
    assert reader.size_hint() is None


@pytest.mark.parametrize("packing", ["bz2", "xz"])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-10], lambda packed: b"something else"])
def test_a_damaged_file_of_another_packing_is_one_clear_error(tmp_path, packing, damage):
    file = tmp_path / f"a.jsonl.{packing}"
    file.write_bytes(damage(PACKED[packing](b"".join(b'{"text": "%d"}\n' % n for n in range(1_000)))))
    with pytest.raises(UserError, match=rf"a\.jsonl\.{packing}' is damaged"):
        list(JsonlReader(str(file)).read())


def test_an_array_is_known_by_a_suffix_in_capitals_too(tmp_path):
    (tmp_path / "ROWS.JSON").write_text('[{"text": "x"},\n{"text": "y"}]')
    good, bad = split(JsonlReader(f"{tmp_path}/ROWS.JSON"))
    assert [(p.source, p.text) for p in good] == [("ROWS", "x"), ("ROWS", "y")] and not bad


@pytest.mark.parametrize("place", range(12, 60, 4))
def test_a_damaged_gzip_file_is_one_clear_error(tmp_path, place):
    """Whatever stands at the place that is damaged: the decoder has an error of its own for broken codes."""
    packed = bytearray(gzip.compress("".join(f'{{"text": "{n * n}"}}\n' for n in range(1_000)).encode()))
    packed[place] ^= 0xFF
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    with pytest.raises(UserError, match=r"a\.jsonl\.gz' is damaged"):
        list(JsonlReader(f"{tmp_path}/a.jsonl.gz").read())


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_a_json_file_may_be_one_array(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(json_array, "CHUNK", 7)  # elements that reach over many chunks
    rows = (
        '\ufeff [ {"text": "a, ]b"},\n{"text":"\\"c\\\\"} , 7, {"text": "d", "n": ' + "9" * 5_000 + '},{"text": "é"}]\n'
    )
    suffix = {bytes: "", gzip.compress: ".gz", zstd: ".zst"}[pack]
    file = tmp_path / f"rows.json{suffix}"
    file.write_bytes(pack(rows.encode()))
    good, bad = split(JsonlReader(str(file)))
    assert [(p.source, p.text) for p in good] == [("rows", "a, ]b"), ("rows", '"c\\'), ("rows", "é")]
    assert [(b.place, b.reason) for b in bad] == [
        (f"{file}, row 3", "not an object with fields"),
        (f"{file}, row 4", "invalid JSON"),
    ]


@pytest.mark.parametrize(
    "rows", ['[{"text": "a"}, {"text": "b"', '[{"text": "a"}, {"text": b}, {"text": "c"}]', '[{"text": "a"},']
)
def test_an_array_that_is_cut_or_broken_keeps_what_stands_before(tmp_path, rows):
    (tmp_path / "rows.json").write_text(rows)
    good, bad = split(JsonlReader(str(tmp_path / "rows.json")))
    assert [p.text for p in good] == ["a"]
    assert [b.reason for b in bad] == ["invalid JSON: the rest of the file is not read"]


def test_an_empty_array_and_json_lines_in_a_json_file_are_read(tmp_path):
    (tmp_path / "none.json").write_text(" [ ]")
    (tmp_path / "lines.json").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert split(JsonlReader(str(tmp_path / "none.json"))) == ([], [])
    assert [p.text for p in split(JsonlReader(str(tmp_path / "lines.json")))[0]] == ["a", "b"]


@pytest.mark.slow
def test_a_large_array_is_not_held_in_memory(tmp_path):
    with (tmp_path / "large.json").open("w") as file:
        file.write("[" + ",".join(f'{{"text": "{n} {"x" * 1_000}"}}' for n in range(20_000)) + "]")
    reader = JsonlReader(str(tmp_path / "large.json"))
    tracemalloc.start()
    read = sum(1 for _ in reader.read())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == 20_000 and peak < 12_000_000


def test_missing_files_are_named_with_the_nearest_one(tmp_path):
    (tmp_path / "passages.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"There is no file '.*passage\.jsonl'") as error:
        list(JsonlReader(f"{tmp_path}/passage.jsonl").read())
    assert "passages.jsonl" in error.value.mend
    with pytest.raises(UserError, match="No file matches"):
        JsonlReader(f"{tmp_path}/*.txt").identity()
    with pytest.raises(UserError, match="is a folder"):
        list(JsonlReader(str(tmp_path)).read())


def test_a_folder_is_told_with_a_glob_of_what_it_holds(tmp_path):
    (tmp_path / "README.md").write_text("x")
    for name in ("a.parquet", "b.parquet"):
        (tmp_path / name).write_text("x")
    with pytest.raises(UserError) as error:
        find_files(str(tmp_path))
    assert error.value.mend == f"Name its files by a glob: '{tmp_path}/*.parquet'"


def test_a_file_of_the_same_suffix_alone_is_not_what_was_meant(tmp_path):
    (tmp_path / "kept.jsonl").write_text("")
    with pytest.raises(UserError, match="Paths are relative") as error:
        find_files(f"{tmp_path}/my.jsonl")
    assert "Did you mean" not in str(error.value)


def test_identity_follows_content_not_place(tmp_path):
    for folder, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.jsonl").write_text(text)
    a, b, c = (JsonlReader(f"{tmp_path}/{folder}/t.jsonl").identity() for folder in "abc")
    assert a == b != c


@pytest.mark.parametrize("text", ["", "no {field", "{}"])
def test_a_mapping_that_names_no_field_is_refused(text):
    with pytest.raises(ValueError, match=r"field|template"):
        JsonlReader("a.jsonl", text=text)


def test_parquet_reads_only_the_mapped_columns_and_reports_bad_rows(tmp_path):
    file = tmp_path / "book.parquet"
    table = {"body": ["Sets.", None, "", "Groups."], "info": [{"lang": "en"}] * 4, "other": [1, 2, 3, 4]}
    pq.write_table(pa.table(table), file)
    good, bad = split(ParquetReader(str(file), text="body", meta={"lang": "info.lang"}))
    assert [(p.text, p.source, p.meta) for p in good] == [
        ("Sets.", "book", {"lang": "en"}),
        ("Groups.", "book", {"lang": "en"}),
    ]
    assert [(b.place, b.reason) for b in bad] == [
        (f"{file}, row 2", "no field 'body'"),
        (f"{file}, row 3", "empty text"),
    ]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "jsonl"])
def test_a_column_whose_own_name_holds_a_dot_is_read(tmp_path, kind):
    file = tmp_path / f"book.{kind}"
    rows = [{"meta.abstract": "Sets.", "meta": {"abstract": "no", "lang": "en"}, "n": 1}]
    table = pa.Table.from_pylist(rows)
    if kind == "parquet":
        pq.write_table(table, file)
    elif kind == "arrow":
        with pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    else:
        file.write_text(json.dumps(rows[0]))
    reader = {"parquet": ParquetReader, "arrow": ArrowReader, "jsonl": JsonlReader}[kind]
    named = reader(str(file), text="meta.abstract", meta={"lang": "meta.lang"})
    named.check("corpus")
    assert [(p.text, p.meta) for p in named.read()] == [("Sets.", {"lang": "en"})]


def test_parquet_bytes_that_are_no_utf8_cost_their_row_only(tmp_path):
    file = tmp_path / "book.parquet"
    column = pa.StringArray.from_buffers(
        3,
        pa.py_buffer(b"\x00\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x06\x00\x00\x00"),
        pa.py_buffer(b"ok\xff\xfeok"),
    )
    pq.write_table(pa.table({"text": column}), file)
    good, bad = split(ParquetReader(str(file)))
    assert len(good) == 2
    assert [(b.place, b.reason) for b in bad] == [(f"{file}, row 2", "invalid UTF-8")]


def test_a_missing_column_and_a_broken_file_are_refused_by_name(tmp_path):
    pq.write_table(pa.table({"texts": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="has no column 'text'") as error:
        list(ParquetReader(f"{tmp_path}/a.parquet").read())
    assert "Did you mean 'texts'?" in error.value.mend
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match=r"b\.parquet' cannot be read as Parquet"):
        list(ParquetReader(f"{tmp_path}/b.parquet").read())


def test_parquet_columns_of_bytes_are_text_where_they_are_utf8(tmp_path):
    file = tmp_path / "hive.parquet"
    pq.write_table(pa.table({"text": pa.array(["café".encode(), b"caf\xe9"], pa.binary())}), file)
    good, bad = split(ParquetReader(str(file)))
    assert [p.text for p in good] == ["café"]
    assert [b.reason for b in bad] == ["invalid UTF-8"]


@pytest.mark.parametrize("name", ["notes.jsonl", "notes.json"])
def test_a_bare_tab_in_a_text_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(b'{"text": "a\tb"}' if name == "notes.jsonl" else b'[{"text": "a\tb"}]')
    (passage,), bad = split(JsonlReader(str(tmp_path / name)))
    assert passage.text == "a\tb"
    assert bad == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_that_powershell_wrote_is_refused_with_the_way_to_mend_it(tmp_path, encoding):
    file = tmp_path / "texts.jsonl"
    file.write_text('\ufeff{"text": "3 + 4 = 7"}\n', encoding=encoding)
    with pytest.raises(UserError, match="UTF-16") as caught:
        JsonlReader(files=(str(file),)).preflight()
    assert "iconv" in caught.value.mend
