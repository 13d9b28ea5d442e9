import pytest

from src.checking.lean import Lean
from src.core.errors import UserError
from src.core.records import BASE, STUDENT
from tests.pipeline.composed import composed, nodes_of

pytestmark = pytest.mark.slow


def test_rounds_of_proving_and_learning():
    nodes = nodes_of(composed("method=prover"))
    rounds = [name for number in (1, 2) for name in (f"prove_{number}", f"prover_{number}", f"evaluate_{number}")]
    assert list(nodes) == [
        *("worked", "statements", "prover_0", "well_formed", "rating", "consistent"),
        "evaluate_0",
        *rounds[:-1],
        "evaluate",
    ]
    assert nodes["prove_2"].inputs == {
        "statements": nodes["consistent"],
        "prover": nodes["prover_1"],
        "earlier_1": nodes["prove_1"],
    }
    corpora = {"corpus": nodes["worked"], "corpus_1": nodes["prove_1"], "corpus_2": nodes["prove_2"]}
    assert nodes["prover_2"].inputs == corpora
    before = {"baseline": nodes["evaluate_0"], "earlier_0": nodes["evaluate_0"], "earlier_1": nodes["evaluate_1"]}
    assert [nodes[name].stage.label for name in ("evaluate_0", "evaluate_1", "evaluate")] == [BASE, STUDENT, STUDENT]
    assert nodes["evaluate"].inputs == {"pretrain": nodes["prover_2"], **before}


def test_statements_are_rated_between_the_two_filters_of_the_checker_or_not_at_all():
    nodes, without = (nodes_of(composed("method=prover", *words)) for words in ((), ("rating=null",)))
    assert nodes["rating"].inputs == {"statements": nodes["well_formed"]}
    assert nodes["consistent"].inputs == {"statements": nodes["rating"]}
    assert "rating" not in without and without["consistent"].inputs == {"statements": without["well_formed"]}
    assert nodes["worked"].key == without["worked"].key and nodes["prover_0"].key == without["prover_0"].key


def test_the_prover_may_state_the_problems_itself_and_learns_how_from_the_worked_ones():
    by_families, nodes = (nodes_of(composed("method=prover", *words)) for words in ((), ("translator=prover",)))
    assert nodes["translate"].inputs == {"statements": nodes["statements"], "prover": nodes["prover_0"]}
    assert nodes["well_formed"].inputs == {"statements": nodes["translate"]}
    assert nodes["worked"].stage.translations and nodes["worked"].stage.error_rate > 0
    assert nodes["statements"].stage.error_rate == 0.0  # what is planted is planted in formulas
    assert "translate" not in by_families and not by_families["worked"].stage.translations


def test_who_translates_is_one_of_two():
    with pytest.raises(UserError, match="translator: must be one of families, prover, not teacher"):
        nodes_of(composed("method=prover", "translator=teacher"))


@pytest.mark.parametrize("scale", ["overnight", "single_gpu", "node", "paper"])
def test_a_real_model_translates_as_in_the_paper(scale):
    assert composed("method=prover", f"scale={scale}")["translator"] == "prover"


def test_the_plan_counts_the_calls_of_all_raters():
    nodes = nodes_of(composed("method=prover", "theorems.n=70", "rating.raters=3"))
    assert nodes["rating"].stage.estimate() == {"calls": 210}


def test_the_paper_has_one_rater_and_leaves_out_what_is_fair_or_poor():
    rating = composed("method=prover", "scale=paper")["rating"]
    assert (rating["raters"], rating["least"]) == (1, 0.5)


def test_each_filter_can_be_made_to_count_alone():
    for name in ("well_formed", "rating", "consistent"):
        nodes = nodes_of(composed("method=prover", f"filters.{name}=false"))
        rejecting = {other: nodes[other].stage.reject for other in ("well_formed", "rating", "consistent")}
        assert rejecting == {other: other != name for other in rejecting}


def test_the_first_rounds_do_not_depend_on_how_many_there_are():
    one, three = (nodes_of(composed("method=prover", f"rounds={n}")) for n in (1, 3))
    assert one["prove_1"].key == three["prove_1"].key
    assert one["evaluate"].key == three["evaluate_1"].key


def test_what_is_worked_is_not_asked_again():
    nodes = nodes_of(composed("method=prover"))
    assert nodes["statements"].stage.after == nodes["worked"].stage.n
    assert nodes["statements"].stage.data_seed == nodes["worked"].stage.data_seed


def test_a_model_made_in_the_run_has_read_something_first():
    nodes = nodes_of(composed("method=prover", "model=tiny"))
    assert all(nodes[f"prover_{n}"].inputs["base"] is nodes["base"] for n in range(3))


def test_a_checker_that_cannot_read_the_families_is_refused():
    with pytest.raises(UserError, match="must read rocq, in which the procedural families"):
        nodes_of(composed("method=prover", "checker=lean", "checker.project=somewhere"))


def test_lean_takes_libraries_of_theorems(tmp_path):
    (tmp_path / "lean-toolchain").write_text("leanprover/lean4:v4.9.0\n")
    (tmp_path / "lake-manifest.json").write_text("{}\n")
    row = '{"formal_statement": "theorem t : 1 = 1 := by sorry"}\n'
    for name in ("worked", "theorems", "exam"):
        (tmp_path / f"{name}.jsonl").write_text(row)
    libraries = [f"{name}.library={tmp_path / name}.jsonl" for name in ("worked", "theorems", "exam")]
    words = ("method=prover", "checker=lean", f"checker.project={tmp_path}", *libraries)
    with pytest.raises(UserError, match="teacher must read lean, and the procedural one reads rocq alone"):
        nodes_of(composed(*words))
    nodes = nodes_of(composed(*words, "rating=null"))
    assert nodes["worked"].stage.held_out == nodes["evaluate"].stage.library == f"{tmp_path}/exam.jsonl"
    assert nodes["consistent"].stage.attempts == Lean.refutations
    with pytest.raises(UserError, match="library holds theorems in Lean"):
        nodes_of(composed("method=prover", *libraries))
