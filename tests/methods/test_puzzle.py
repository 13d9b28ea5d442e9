import pytest

from tests.pipeline.composed import composed, nodes_of

pytestmark = pytest.mark.slow


def test_puzzles_are_read_and_examined_without_teacher_or_corpus():
    nodes = nodes_of(composed("method=puzzle"))
    assert list(nodes) == ["puzzles", "pretrain", "evaluate"]
    assert nodes["pretrain"].inputs == {"corpus": nodes["puzzles"]}
    assert nodes["evaluate"].inputs == {"pretrain": nodes["pretrain"]}


def test_a_model_made_in_the_run_has_read_something_first():
    assert list(nodes_of(composed("method=puzzle", "model=tiny"))) == ["puzzles", "base", "pretrain", "evaluate"]


PAPER = {  # arXiv 2406.02100, table 3
    "lr": 1e-4,
    "betas": (0.9, 0.95),
    "eps": 1e-9,
    "epochs": 5,
    "batch_sequences": 50 * 8,
    "precision": "bf16",
}


def test_the_papers_scale_has_the_papers_numbers():
    nodes = nodes_of(composed("method=puzzle", "scale=paper"))
    recipe, model = nodes["pretrain"].stage.recipe, nodes["pretrain"].stage.model
    assert {name: getattr(recipe, name) for name in PAPER} == PAPER
    assert (recipe.lora.alpha, recipe.lora.dropout, recipe.lora.rank, recipe.schedule.warmup) == (32, 0.05, 8, 0)
    assert model.name == "openlm-research/open_llama_3b"
    assert model.size().parameters == pytest.approx(3.43e9, rel=0.01)
    assert nodes["puzzles"].stage.rows == 100_000_000
    assert (nodes["puzzles"].stage.space.sizes, nodes["puzzles"].stage.space.high) == ((5, 6, 7), 60)
    exams = nodes["evaluate"].stage.benchmarks
    spaces = {name: (b.space.sizes, b.space.high) for name, b in exams.items() if name != "puzzle_countdown"}
    assert spaces == {
        "puzzle": ((5, 6, 7), 60),
        "puzzle_numbers": ((5, 6, 7), 100),
        "puzzle_large_numbers": ((5, 6, 7), 1000),
        "puzzle_form": ((8,), 60),
    }


@pytest.mark.parametrize("scale", ["laptop", "study"])
def test_exams_go_beyond_what_is_taught_at_every_scale(scale):
    nodes = nodes_of(composed("method=puzzle", f"scale={scale}"))
    taught, exams = nodes["puzzles"].stage.space, nodes["evaluate"].stage.benchmarks
    assert exams["puzzle"].space == taught
    assert taught.high < exams["puzzle_numbers"].space.high < exams["puzzle_large_numbers"].space.high
    assert max(taught.sizes) < min(exams["puzzle_form"].space.sizes)


def test_a_share_is_another_set_and_the_exams_stay():
    whole, half = (nodes_of(composed("method=puzzle", f"+puzzles.share={share}")) for share in (1.0, 0.5))
    assert whole["puzzles"].key != half["puzzles"].key
    assert whole["evaluate"].stage == half["evaluate"].stage
