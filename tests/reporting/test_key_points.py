"""What the report tells of topics, ratings and votes, from what the stages themselves leave."""

import json
from pathlib import Path

import pytest

from src.core.records import Problem, content_id, write_table
from src.keypoints.merging import Merged
from src.keypoints.records import Composition, Practice, Rating
from src.reporting.collect import Counts, JobRecord, Manifest, NodeRecord
from src.reporting.key_points import key_points
from src.reporting.tables import costs

ADD, STORY = "Arithmetic - Addition", "Others - Story"


def manifest(path: Path, stage: str, kept: int = 0, **metrics: float) -> Manifest:
    path.mkdir(parents=True, exist_ok=True)
    return Manifest(path, stage, f"key-of-{stage}", {}, Counts(10, kept), metrics, 1.0, 0, {}, "", False, "", "train")


def job(*manifests: Manifest) -> JobRecord:
    nodes = tuple(NodeRecord(m.stage, m.stage, m.key, False, 1.0, m) for m in manifests)
    return JobRecord(Path("nowhere"), "main-s0", nodes=nodes, status="complete")


def problem(id: str, question: str, prompt: str = "") -> Problem:
    return Problem(id, prompt, "", "grade_school", "cot", question, f"Solution of {id}.", "7", "", 0)


@pytest.fixture
def made(tmp_path: Path) -> JobRecord:
    import numpy as np

    topics = manifest(tmp_path / "topics", "topics")
    (topics.path / "topics.json").write_text(json.dumps([{"topic": ADD}, {"topic": STORY}]))
    np.save(topics.path / "cooccurrence.npy", np.array([[0.0, 0.6], [0.6, 0.3]]))
    merged = Merged("Addition", ADD, 0.91)
    (topics.path / "merged.jsonl").write_text(json.dumps(vars(merged)) + "\n")
    practices = [Practice("a", "s1", ADD, ["carrying"]), Practice("b", "s2", STORY, ["money"])]
    write_table(topics.path / "practices", Practice, practices)
    seeds = manifest(tmp_path / "seeds", "seeds")
    write_table(seeds.path / "problems", Problem, [problem("s1", "First seed?"), problem("s2", "Second seed?")])
    compositions = manifest(tmp_path / "compositions", "compositions")
    composition = Composition("p1", [ADD, STORY], ["a", "b"], ["carrying", "money"], ["carrying", "money"])
    write_table(compositions.path / "compositions", Composition, [composition])
    rating = manifest(tmp_path / "rating", "rating", 4, calls=10, dollars=1.0)
    (rating.path / "ratings.json").write_text(json.dumps({"edges": [0, 0.5, 1], "questions": [6, 4]}))
    question = content_id("question", "p1", "How much?")
    write_table(rating.path / "ratings", Rating, [Rating(f"{question}-0000", question, 0.9, 1.0)])
    consensus = manifest(tmp_path / "consensus", "consensus", 3, questions=4, questions_kept=3)
    (consensus.path / "agreement.json").write_text(json.dumps({"1": 1, "9": 3}))
    clean = manifest(tmp_path / "clean", "clean")
    write_table(clean.path / "problems", Problem, [problem("c1", "How much?", "p1")])
    return job(seeds, topics, compositions, rating, consensus, clean)


def test_the_map_is_the_matrix_with_its_largest_value_darkest(made: JobRecord) -> None:
    together, merged = key_points(made).parts
    assert together.map and [row[0].text for row in together.table.rows] == [f"1. {ADD}", f"2. {STORY}"]
    assert [[(c.text, c.heat) for c in row[1:]] for row in together.table.rows] == [
        [("0.00", 0.0), ("0.60", 1.0)],
        [("0.60", 1.0), ("0.30", 0.5)],
    ]
    assert [cell.text for cell in merged.table.rows[0]] == ["Addition", ADD, "0.910"]


def test_how_many_key_points_are_many_is_as_the_stage_was_told(made: JobRecord) -> None:
    topics = made.manifest("topics")
    assert topics is not None
    for told, many in (({}, 5), ({"many": 2}, 2)):
        topics.config.clear()
        topics.config.update(told)
        assert f"with more than {many} key points of the one topic" in key_points(made).parts[0].table.note


def test_a_line_separator_in_a_topic_is_no_end_of_a_line(made: JobRecord) -> None:
    topics = made.manifest("topics")
    assert topics is not None
    lines = [json.dumps(vars(Merged(f"Sums\u2028{n}", ADD, 0.9)), ensure_ascii=False) + "\n" for n in range(14)]
    (topics.path / "merged.jsonl").write_text("".join(lines))
    merged = key_points(made).parts[1].table
    assert [row[0].text for row in merged.rows] == [f"Sums\u2028{n}" for n in range(12)]
    assert "least alike of 14" in merged.note


def test_ratings_and_agreement_are_drawn_with_what_stays(made: JobRecord) -> None:
    ratings, agreement = key_points(made).plots
    assert ratings.caption == "Of 10 questions; 40.0 % stay." and ratings.svg.startswith("<svg")
    assert agreement.caption.endswith("75.0 % stay.")


def test_the_share_that_stays_is_one_of_the_questions_that_were_rated(made: JobRecord) -> None:
    rating = made.manifest("rating")
    assert rating is not None and rating.counts.entered == 10
    (rating.path / "ratings.json").write_text(json.dumps({"edges": [0, 0.5, 1], "questions": [3, 5]}))
    assert key_points(made).plots[0].caption == "Of 8 questions; 50.0 % stay."


def test_a_problem_is_followed_from_its_seeds_to_the_corpus(made: JobRecord) -> None:
    assert [(step.title, step.text) for step in key_points(made).sample] == [
        (f"Seed 1: {ADD}", "First seed?\n\n- carrying"),
        (f"Seed 2: {STORY}", "Second seed?\n\n- money"),
        ("New question", "How much?"),
        ("Rating", "Key points 0.90, soundness 1.00"),
        ("Solution that most agree on", "Solution of c1."),
    ]


def test_a_job_of_another_method_has_no_such_section() -> None:
    assert not key_points(job())


def test_what_is_lost_from_the_store_is_left_out(made: JobRecord) -> None:
    for name in ("cooccurrence.npy", "topics.json", "merged.jsonl"):
        (made.nodes[1].manifest.path / name).unlink()  # type: ignore[union-attr]
    (made.nodes[3].manifest.path / "ratings.json").write_text("{torn")  # type: ignore[union-attr]
    found = key_points(made)
    assert not found.parts and [plot.name for plot in found.plots] == ["agreement"]


def test_every_stage_that_asks_a_teacher_is_on_the_bill(made: JobRecord) -> None:
    other = manifest(made.nodes[0].manifest.path, "answers", 9, calls=40, dollars=2.0, prompt_tokens=7)  # type: ignore[union-attr]
    bill = costs([job(*(node.manifest for node in made.nodes if node.manifest), other)])
    assert (bill.calls, bill.dollars, bill.dollars_per_kept, bill.teacher_tokens) == (50, 3.0, 1.0, 7)
