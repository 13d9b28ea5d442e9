"""python -m src.trace, on a store made by hand."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src import trace
from src.core.records import Generation, Passage, Prediction, Problem, Prompt, Score, content_id, write_table
from src.core.stage import Artifact, StageContext
from src.stages.clean import Clean
from src.stages.packs import PACKS
from src.text.parsing import format_response


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """corpus -> prompts -> distil -> synthesizer -> generate -> clean -> pretrain -> evaluate, a few rows each."""
    root = tmp_path_factory.mktemp("outputs")

    def made(kind, key, inputs=None, **tables):
        folder = root / "store" / kind / key
        for name, (record, rows) in tables.items():
            write_table(folder / name, record, rows)
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {"stage": kind, "inputs": inputs or {}, "counts": {"in": 9, "kept": 9}, "started": key}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

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
    made("select", "fff", {"prompts": "bbb"}, scores=scores, prompts=(Prompt, prompts[3:4]))
    fed = {"generations": ("generate", "eee"), "passages": ("corpus", "aaa"), "distilled_1": ("distil", "ccc")}
    clean = made("clean", "ggg", {name: key for name, (_, key) in fed.items()})
    inputs = {name: Artifact(root / "store" / kind / key) for name, (kind, key) in fed.items()}
    (root / "work").mkdir()
    Clean().run(StageContext(clean, root / "work", inputs, root / "cache"))
    student = made("pretrain", "hhh", {"corpus": "ggg"})
    (third,) = (p for p in Artifact(clean).table("problems", Problem) if p.answer == "6")
    readings = [[third.id, "corpus", epoch, None, 8 * epoch, 61 * epoch, 120, 77] for epoch in (2, 1)]
    (student / "packs").mkdir()
    columns = [pa.array(column, kind) for column, kind in zip(zip(*readings), PACKS.types)]
    pq.write_table(pa.table(columns, schema=PACKS), student / "packs" / "00000.parquet")
    asked = f"## Question\n{texts[5]}\n\n## Solution\n"
    answer = Prediction(
        "feed01", "student", "quiz", "q5", "amc8", asked, "10", ["\\boxed{10}"], ["10"], [True], ["string"]
    )
    made("evaluate", "iii", {"pretrain": "hhh"}, predictions=(Prediction, [answer]))
    run = root / "runs" / "demo" / "main-s0"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"nodes": [{"key": "iii"}]}))
    return root


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
