"""python -m src.trace, on a store made by hand."""

import json
import os
import shutil
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src import trace
from src.core.records import Generation, Passage, Prediction, Problem, Prompt, Score, content_id, write_table
from src.core.stage import Artifact, StageContext
from src.stages.clean import Clean
from src.stages.packs import PACKS
from src.text.parsing import format_response


def make(root, kind, key, inputs=None, **tables):
    """An artifact; of several of a kind, the one whose key comes last in the alphabet is the newest."""
    folder = root / "store" / kind / key
    for name, (record, rows) in tables.items():
        write_table(folder / name, record, rows)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": kind, "inputs": inputs or {}, "counts": {"in": 9, "kept": 9}, "started": key}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def write_packs(folder, readings):
    (folder / "packs").mkdir()
    columns = [pa.array(column, kind) for column, kind in zip(zip(*readings), PACKS.types)]
    pq.write_table(pa.table(columns, schema=PACKS), folder / "packs" / "00000.parquet")


ASKED = "## Question\nTom has 5 pens and finds 5 more. How many pens has Tom now?\n\n## Solution\n"


def answer(id, model, text, question="q5"):
    return Prediction(id, model, "quiz", question, "amc8", ASKED, "10", [text], [text], [text == "10"], ["string"])


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """corpus -> prompts -> distil -> synthesizer -> generate -> clean -> pretrain -> evaluate, a few rows each."""
    root = tmp_path_factory.mktemp("outputs")
    made = partial(make, root)
    passages = [
        Passage(content_id("passage", i), "web", f"Fact {i} about numbers.", {"url": f"u{i}"}) for i in range(40)
    ]
    prompts = [Prompt(content_id("prompt", p.id), p.id, "amc8", "cot", f"Write of: {p.text}") for p in passages]
    texts = [f"Tom has {i} pens and finds {i} more. How many pens has Tom now?" for i in range(40)]
    raw = [
        Generation(content_id("raw", q.id), q.id, q.passage_id, "amc8", "cot",
                   format_response(texts[min(i, 38)], f"{i} + {i} = {2 * i}, so \\boxed{{{2 * i}}} pens."),
                   "stop", 20, "student")
        for i, q in enumerate(prompts)
    ]  # fmt: skip
    taught = [
        Problem(content_id("taught"), prompts[3].id, passages[3].id, "amc8", "cot", texts[7], "S", "1", "teacher", 1)
    ]
    made("corpus", "aaa", passages=(Passage, passages))
    made("prompts", "bbb", {"passages": "aaa"}, prompts=(Prompt, prompts))
    made("distil", "ccc", {"prompts": "bbb"}, problems=(Problem, taught))
    made("synthesizer", "ddd", {"prompts": "bbb", "distilled_1": "ccc"})
    made("generate", "eee", {"prompts": "bbb", "synthesizer": "ddd"}, generations=(Generation, raw))
    scores = (Score, [Score(prompts[3].id, "overall", 0.25)])
    made("generate", "eea", {"prompts": "bbb"}, generations=(Generation, raw[3:5]))
    made("select", "fff", {"prompts": "bbb", "candidates": "eea"}, scores=scores, prompts=(Prompt, prompts[3:4]))
    fed = {"generations": ("generate", "eee"), "passages": ("corpus", "aaa"), "distilled_1": ("distil", "ccc")}
    clean = made("clean", "ggg", {name: key for name, (_, key) in fed.items()})
    inputs = {name: Artifact(root / "store" / kind / key) for name, (kind, key) in fed.items()}
    (root / "work").mkdir()
    Clean().run(StageContext(clean, root / "work", inputs, root / "cache"))
    student = made("pretrain", "hhh", {"corpus": "ggg"})
    (third,) = (p for p in Artifact(clean).table("problems", Problem) if p.answer == "6")
    readings = [[third.id, "corpus", epoch, None, 8 * epoch, 61 * epoch, 120, 77] for epoch in (2, 1)]
    write_packs(student, [*readings, ["00sft", "sft", 1, None, 99, 700, 0, 40]])
    predictions = [answer("feed00", "base", "9"), answer("feed01", "student", "10")]
    made("evaluate", "iii", {"pretrain": "hhh"}, predictions=(Prediction, predictions))
    run = root / "runs" / "demo" / "main-s0"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"nodes": [{"key": "iii"}]}))
    return root


@pytest.fixture
def copied(outputs, tmp_path):
    """The same, to be changed."""
    return shutil.copytree(outputs, tmp_path / "copied")


def told(outputs, id):
    return "\n".join(trace.trace(outputs, id))


def row(outputs, at):
    rows = Artifact(outputs / "store/clean/ggg").table("problems", Problem)
    return next(row for row in rows if row.answer == str(2 * at))


def test_a_row_is_followed_back_to_its_passage_and_on_to_the_examination(outputs):
    problem = row(outputs, 3)
    text = told(outputs, problem.id)
    for part in (
        f"corpus row {problem.id}  (clean ggg)", "Tom has 3 pens", "answer unchecked; topic arithmetic",
        f"raw text {content_id('raw', problem.prompt_id)}  (generate eee)", "(synthesizer ddd)",
        "taught by 9 answers of a teacher (distil ccc)", f"one about the same passage: {content_id('taught')}",
        f"prompt {problem.prompt_id}  (prompts bbb)", "scored 0.25 for overall", "  chosen for the teacher's second",
        f"passage {problem.passage_id}  (corpus aaa)", "source web; url u3", "read by a student (pretrain hhh)",
        "  in epoch 1, step 8: sequence 61, from token 120 on, 77 tokens\n  in epoch 2, step 16: sequence 122, from",
        "examined in evaluate iii, in demo/main-s0",
    ):  # fmt: skip
        assert part in text, part
    assert text == told(outputs, problem.id[:12])
    assert "in none of its sequences: held out, unfit" in told(outputs, row(outputs, 4).id)


def test_a_rejected_text_names_the_row_it_gave_way_to(outputs):
    ids = [content_id("raw", content_id("prompt", content_id("passage", i))) for i in (38, 39)]
    texts = [told(outputs, id) for id in ids]
    (gone,) = [text for text in texts if text.startswith("rejected text")]
    assert "reason duplicate question" in gone and "it gave way to" in gone and "Tom has 38 pens" in gone
    text = told(outputs, content_id("raw", content_id("prompt", content_id("passage", 7))))
    assert f"it gave way to {content_id('taught')}  (distil ccc)" in text and "Tom has 7 pens" in text


def test_raw_texts_prompts_passages_and_teachers_problems_have_a_way_too(outputs):
    problem = row(outputs, 3)
    assert f"became corpus row {problem.id}" in told(outputs, content_id("raw", problem.prompt_id))
    assert told(outputs, problem.prompt_id).startswith("prompt ")
    assert told(outputs, problem.passage_id).startswith("passage ")
    assert "read by a synthesizer (synthesizer ddd)" in told(outputs, content_id("taught"))


def test_a_prediction_shows_the_nearest_rows_of_its_corpus(outputs):
    lines = told(outputs, "feed01").split("\n")
    nearest = lines[lines.index("nearest rows of its corpus (clean ggg)") + 1]
    assert nearest.startswith(f"  1.00  {row(outputs, 5).id}  Tom has 5 pens")


def test_ids_that_mean_nothing_or_too_much_are_told(outputs, capsys, tmp_path):
    for id, why in (("zz", "No row has an id that begins with 'zz'"), ("", "An empty id")):
        with pytest.raises(SystemExit, match=why):
            trace.main([id, "--outputs", str(outputs)])
    with pytest.raises(SystemExit, match=r"begins several ids:[\s\S]*Give more of its digits"):
        trace.main([row(outputs, 3).id[:1], "--outputs", str(outputs)])
    with pytest.raises(SystemExit, match="No artifacts in"):
        trace.main(["ab", "--outputs", str(tmp_path)])
    trace.main(["feed01", "--outputs", str(outputs)])
    assert "gold 10; right 1 of 1" in capsys.readouterr().out


def test_every_student_and_synthesizer_that_read_a_row_is_told(copied):
    store, row_3 = copied / "store", row(copied, 3)
    assert told(copied, row_3.id).count("read by a student") == 1
    shutil.copytree(store / "clean/ggg", store / "clean/ggh")
    make(copied, "clean", "ggh", {"generations": "eee"})  # newer, and read by nobody yet
    make(copied, "pretrain", "hhi", {"corpus": "ggg"})
    text = told(copied, row_3.id)
    first, _, second = text.partition("also in clean ggg\n")
    assert f"corpus row {row_3.id}  (clean ggh)" in first and "no student has read clean ggh yet" in first
    assert "read by a student (pretrain hhh)" in second and "read by a student (pretrain hhi)" in second
    assert "step 8: sequence 61" in second and "examined in evaluate iii, in demo/main-s0" in second

    shutil.copytree(store / "distil/ccc", store / "distil/ccd")
    make(copied, "distil", "ccd", {"prompts": "bbb"})
    first, _, second = told(copied, content_id("taught")).partition("also in distil ccc\n")
    assert "(distil ccd)" in first and "no synthesizer has read distil ccd yet" in first
    assert second.startswith("read by a synthesizer (synthesizer ddd)")


def test_a_student_that_reads_the_teachers_problems_themselves_is_told(copied):
    make(copied, "pretrain", "hhi", {"corpus": "ccc"})
    text = told(copied, content_id("taught"))
    assert "read by a student (pretrain hhi)" in text and "read by a synthesizer (synthesizer ddd)" in text


def test_an_older_raw_text_says_what_became_of_it(copied):
    shutil.copytree(copied / "store/generate/eee", copied / "store/generate/eef")
    make(copied, "generate", "eef", {"prompts": "bbb"})
    id = row(copied, 3).id
    first, _, second = told(copied, content_id("raw", row(copied, 3).prompt_id)).partition("also in generate eee\n")
    assert "(generate eef)" in first and "became" not in first
    assert second.startswith(f"  became corpus row {id} (clean ggg)")


def test_a_prediction_is_told_of_every_evaluation_and_a_question_of_every_model(copied):
    make(copied, "pretrain", "hhi", {"corpus": "ggg"})
    make(copied, "evaluate", "iij", {"pretrain": "hhi"}, predictions=(Prediction, [answer("feed01", "student", "11")]))
    first, _, second = told(copied, "feed01").partition("also in evaluate iii\n")
    assert "gold 10; right 0 of 1" in first and "    11\n" in first and "feed01  (evaluate iij)" in first
    assert "gold 10; right 1 of 1" in second and "    10" in second
    assert "feed01  (evaluate iii, in demo/main-s0)" in second and "evaluate iij" not in second
    text = told(copied, "q5")
    assert text.count("student's answers feed01") == 2 and text.count("base's answers feed00") == 1
    assert text.count("also in evaluate iii") == 1 and text == told(copied, "Q5")


def test_a_numbered_question_is_found_among_those_that_begin_alike(copied):
    many = [answer(f"beef{n:02}", "student", "10", f"9{n}") for n in range(20)] + [
        answer("beef99", "student", "1", "9")
    ]
    make(copied, "evaluate", "iij", {"pretrain": "hhh"}, predictions=(Prediction, many))
    assert told(copied, "9").startswith("quiz 9\n")


def test_only_selections_that_had_a_prompt_among_their_candidates_judge_it(outputs, copied):
    chosen, left, never = (row(outputs, at).prompt_id for at in (3, 4, 5))
    assert "  chosen for the teacher's second round (select fff)" in told(outputs, chosen)
    assert "  not chosen for the teacher's second round (select fff)" in told(outputs, left)
    assert "second round" not in told(outputs, never)
    shutil.rmtree(copied / "store/generate/eea")
    text = told(copied, left)
    assert "candidates of select fff: no longer in the store" in text and "not chosen" not in text


@pytest.mark.parametrize(
    ("removed", "line"),
    [
        ("generate/eee", "generations of clean ggg: no longer in the store"),
        ("synthesizer/ddd", "synthesizer of generate eee: no longer in the store"),
        ("distil/ccc", "distilled_1 of synthesizer ddd: no longer in the store"),
        ("prompts/bbb", "prompts of generate eee: no longer in the store"),
        ("corpus/aaa", "passages of prompts bbb: no longer in the store"),
    ],
)
def test_a_removed_artifact_is_told(copied, removed, line):
    id = row(copied, 3).id
    assert "no longer" not in told(copied, id)
    shutil.rmtree(copied / "store" / removed)
    assert line in told(copied, id).split("\n")


def test_what_a_text_gave_way_to_may_be_gone(copied):
    shutil.rmtree(copied / "store/distil/ccc")
    text = told(copied, content_id("raw", content_id("prompt", content_id("passage", 7))))
    assert "gave way to a question, perhaps of distilled_1, no longer in the store" in text


def test_a_prediction_says_when_its_students_corpus_is_gone_or_has_nothing_like_it(copied):
    strange = Prediction("fade01", "student", "quiz", "q6", "amc8", "Zyx?", "1", [], [], [], [])
    make(copied, "evaluate", "iij", {"pretrain": "hhh"}, predictions=(Prediction, [strange]))
    assert told(copied, "fade01").endswith("(clean ggg)\n  none: no row shares a run of words with the question")
    shutil.rmtree(copied / "store/clean/ggg")
    assert told(copied, "feed01").endswith("\ncorpus of pretrain hhh: no longer in the store")
    shutil.rmtree(copied / "store/pretrain/hhh")
    assert told(copied, "feed01").endswith("\npretrain of evaluate iii: no longer in the store")


def test_a_row_of_the_fine_tuning_set_is_found_in_the_sequences(outputs):
    assert told(outputs, "00sft").split("\n") == [
        "row 00sft of sft, whose text the store does not hold",
        "read by a student (pretrain hhh), with 9 rows in all",
        "  in epoch 1, step 99: sequence 700, from token 0 on, 40 tokens",
        "  which was examined in evaluate iii, in demo/main-s0",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_manifest_is_named(copied, text):
    manifest = copied / "store/clean/ggg/manifest.json"
    manifest.write_text(text)
    with pytest.raises(SystemExit, match=rf"^{manifest} is damaged: .*\n  -> Remove the artifact, .*clean/ggg$"):
        trace.main(["feed01", f"outputs={copied}"])


@pytest.mark.parametrize("kept", [0, 100, -4])
def test_a_truncated_table_is_named(copied, kept):
    (shard,) = (copied / "store/clean/ggg/problems").iterdir()
    shard.write_bytes(shard.read_bytes()[:kept])
    with pytest.raises(SystemExit, match=rf"^{shard} is damaged: .*\n  -> Remove the artifact, .*clean/ggg$"):
        trace.main(["feed01", f"outputs={copied}"])


def test_a_reader_that_has_seen_enough_ends_it_quietly(outputs, monkeypatch):
    unread, written = os.pipe()
    os.close(unread)
    with os.fdopen(written, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        trace.main(["feed01", "--outputs", str(outputs)])


def test_capitals_and_the_spelling_of_the_other_commands_are_understood(outputs, capsys):
    id = row(outputs, 3).id
    trace.main([id.upper(), f"outputs={outputs}"])
    assert capsys.readouterr().out.startswith(f"corpus row {id}")


def test_a_passage_that_two_corpora_hold_names_both(copied):
    shutil.copytree(copied / "store/corpus/aaa", copied / "store/corpus/aab")
    make(copied, "corpus", "aab")
    text = told(copied, content_id("passage", 3))
    assert "(corpus aab)" in text and text.endswith("\nalso in corpus aaa")


def test_a_passage_tells_what_was_written_from_it(outputs):
    passage = content_id("passage", 3)
    lines = "\n".join(trace.trace(outputs, passage))
    assert f"passage {passage}" in lines
    raw = content_id("raw", content_id("prompt", passage))
    assert f"became the raw text {raw} (generate " in lines
    assert "became corpus row" in lines.partition(raw)[2]


def test_a_key_from_the_log_names_an_artifact(tmp_path):
    make(tmp_path, "corpus", "0123456789abcdef")
    make(tmp_path, "prompts", "fedcba9876543210", {"passages": "0123456789abcdef"})
    lines = list(trace.trace(tmp_path, "01234567"))
    assert lines[0].startswith("corpus 01234567  (9 of 9 rows kept")
    assert "  used by prompts fedcba98" in lines
    assert "  made from passages: corpus 01234567" in list(trace.trace(tmp_path, "fedcba98"))
