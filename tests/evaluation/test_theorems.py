"""miniF2F, ProofNet and PutnamBench read from copies in the layouts of their publishers; the theorems are ours."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.build import build
from src.core.errors import UserError
from src.evaluation.prompting import Protocol
from src.evaluation.theorems import read_library
from src.text.answers import extract_answer
from src.theorems.statement import Declaration
from tests.watchdog import ends

CONF = Path(__file__).parents[2] / "conf" / "benchmark"
FILE = "import Mathlib\n\nset_option maxHeartbeats 0\n\nopen Nat Real\n\n"
HEADER = FILE.replace("import Mathlib\n", "import Mathlib\nimport Aesop\n")
DEEPSEEK = [  # the fields of DeepSeek-Prover-V1.5's two files
    {
        "name": f"mathd_algebra_{n}",
        "split": "test" if n % 2 else "valid",
        "informal_prefix": f"/-- Show that {n} is {n}.-/\n",
        "formal_statement": f"theorem mathd_algebra_{n} (x : ℝ) (h₀ : x = {n}) :\n  x + 0 = {n} := by\n",
        "goal": "⊢ x + 0 = 1",
        "header": HEADER,
    }
    for n in range(5)
]


def benchmark(name, folder, **options):
    config = OmegaConf.merge(OmegaConf.load(CONF / f"{name}.yaml")[name], {"benchmark_dir": folder, **options})
    return build(OmegaConf.to_container(config), name)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def as_jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def golds(found):
    return [Declaration(**json.loads(question.gold)) for question in found.questions()]


@pytest.mark.parametrize("above", ["miniF2F-lean4/", ""])
def test_minif2f_is_a_folder_of_files_for_each_split(tmp_path, above):
    for split, n in (("Test", 3), ("Valid", 2)):
        for i in range(n):
            text = f"{FILE}theorem amc12_{split}_{i} (x : ℕ) (h₀ : x = {i}) :\n  x < {i + 1} := by sorry"
            write(tmp_path / f"{above}MiniF2F/{split}/amc12_{split}_{i}.lean", text)
    test, valid = benchmark("minif2f", str(tmp_path)), benchmark("minif2f", str(tmp_path), split="valid")
    assert [gold.name for gold in golds(test)] == ["amc12_Test_0", "amc12_Test_1", "amc12_Test_2"]
    assert [gold.name for gold in golds(valid)] == ["amc12_Valid_0", "amc12_Valid_1"]
    assert test.questions()[0].text == (
        "import Mathlib\nset_option maxHeartbeats 0\nopen Nat Real\n\n"
        "theorem amc12_Test_0 (x : ℕ) (h₀ : x = 0) : x < 1 := by\n"
    )
    assert test.identity() != valid.identity()


@pytest.mark.parametrize("name", ["minif2f", "proofnet"])
def test_rows_of_a_table_are_of_the_split_that_is_asked(tmp_path, name):
    write(tmp_path / f"{name}.jsonl", as_jsonl(DEEPSEEK))
    assert [gold.name for gold in golds(benchmark(name, str(tmp_path)))] == ["mathd_algebra_1", "mathd_algebra_3"]
    valid = golds(benchmark(name, str(tmp_path), split="valid"))
    assert len(valid) == 3
    assert valid[0].header == "import Mathlib\nimport Aesop\nset_option maxHeartbeats 0\nopen Nat Real"
    assert valid[0].informal == "Show that 0 is 0."


def test_proofnet_comes_with_other_names_for_the_same_fields(tmp_path):
    sharp = {  # ProofNet#
        "id": "Rudin|exercise_1_1",
        "nl_statement": "Show that zero is zero.",
        "nl_proof": "It is.",
        "lean4_src_header": "import Mathlib\n\nopen Real\n\n",
        "lean4_formalization": "theorem exercise_1_1 : (0 : ℝ) = 0 :=",
    }
    write(tmp_path / "proofnet" / "test.jsonl", as_jsonl([sharp]))
    (found,) = golds(benchmark("proofnet", str(tmp_path)))
    assert (found.header, found.informal) == ("import Mathlib\nopen Real", "Show that zero is zero.")
    ported = {
        "name": "Rudin_exercise_1_1",
        "source": "Rudin.lean",
        "header": "import Mathlib\n",
        "formal_statement": "theorem Rudin_exercise_1_1 : (0 : ℝ) = 0 := sorry",
        "formal_proof": None,
        "informal_stmt": "Show that zero is zero.\n\\begin{proof}\nIt is.\n\\end{proof}",
        "informal_proof": "It is.",
    }
    write(tmp_path / "clone" / "ProofNet-lean4" / "proofnet_lean4.jsonl", as_jsonl([ported]))
    (found,) = golds(benchmark("proofnet", str(tmp_path / "clone")))
    assert (found.name, found.informal) == ("Rudin_exercise_1_1", "Show that zero is zero.")


def test_putnambench_tells_answers_in_comments_and_problems_in_docstrings(tmp_path):
    text = (
        "import Mathlib\n\nabbrev putnam_2030_b1_solution : ℕ := sorry\n-- 4\n/--\nWhat is $2 + 2$?\n-/\n"
        "theorem putnam_2030_b1 : 2 + 2 = putnam_2030_b1_solution :=\nsorry\n"
    )
    write(tmp_path / "PutnamBench" / "lean4" / "src" / "putnam_2030_b1.lean", text)
    (question,) = benchmark("putnambench", str(tmp_path)).questions()
    assert question.text == (
        "import Mathlib\n\nabbrev putnam_2030_b1_solution : ℕ :=\n   4\n\n"
        "/-- What is $2 + 2$? -/\ntheorem putnam_2030_b1 : 2 + 2 = putnam_2030_b1_solution := by\n"
    )


@pytest.mark.parametrize("name", ["minif2f", "proofnet", "putnambench"])
def test_a_missing_copy_is_told_with_where_it_is_to_be_had(tmp_path, name):
    with pytest.raises(UserError, match=r"benchmark_dir names no folder[\s\S]*Get it from \S*") as told:
        benchmark(name, None).questions()
    assert "github.com" in str(told.value)
    with pytest.raises(UserError, match=r"There is none of .*, .* in .*[\s\S]*set benchmark_dir"):
        benchmark(name, str(tmp_path)).identity()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("theorem t : 1 = 1 := rfl", "does not end in ':= sorry'"),
        ("theorem t (f_a := sorry", "t has no conclusion"),
        ("", "there is no field formal_statement"),
    ],
)
def test_a_row_that_leaves_nothing_to_prove_is_told_by_its_line(tmp_path, statement, told):
    write(tmp_path / "rows.jsonl", as_jsonl([DEEPSEEK[0], {"formal_statement": statement}]))
    with pytest.raises(UserError, match=rf"rows.jsonl, line 2: .*{told}"):
        list(read_library(tmp_path / "rows.jsonl"))


def test_a_folder_without_lean_is_told(tmp_path):
    with pytest.raises(UserError, match=r"holds no \.lean files"):
        list(read_library(tmp_path))


def test_a_library_may_tell_proofs(tmp_path):
    write(tmp_path / "rows.jsonl", as_jsonl([{**DEEPSEEK[0], "formal_proof": "  simp [h₀]"}, DEEPSEEK[1]]))
    assert [entry.proof for entry in read_library(tmp_path / "rows.jsonl")] == ["  simp [h₀]", ""]


def test_a_prover_is_asked_to_complete_the_code(tmp_path):
    write(tmp_path / "minif2f.jsonl", as_jsonl(DEEPSEEK))
    found = benchmark("minif2f", str(tmp_path))
    way = Protocol().prompting(found, None)
    prompt = way.write(found.questions()[0])
    assert prompt.startswith("Complete the following Lean 4 code:\n\n```lean4\nimport Mathlib\n")
    assert prompt.endswith("theorem mathd_algebra_1 (x : ℝ) (h₀ : x = 1) : x + 0 = 1 := by\n")
    assert way.stop == ("```",)
    chat = Protocol().prompting(benchmark("minif2f", str(tmp_path), style="chat"), None)
    assert "```lean4 block" in chat.write(found.questions()[0])


@pytest.mark.parametrize(
    "text",
    [
        "  intro h\n  simp [h]",
        "  intro h\n  simp [h]\n```\nThis works because of h.",
        "```\nintro h\nsimp [h]\n```\n",
        "First an idea.\n```lean4\nintro h\nsimp [h]\n```\n",
        "```lean4\nimport Mathlib\n\ntheorem t (x : ℕ) : x = 0 → x + 0 = 0 := by\n  intro h\n  simp [h]\n```",
        "<think>\n```lean4\nsorry\n```\n</think>\n```tactics\nintro h\nsimp [h]\n```",
        "  intro h\n  simp [h]\n\n/-- Another. -/\n@[simp] theorem u : 1 = 1 := by\n  rfl\n\nlemma v : 2 = 2 := by rfl",
        "```lean4\n-- a helper\nlemma u : 1 = 1 := by rfl\n\n"
        "theorem t (x : ℕ) : x = 0 → x + 0 = 0 := by\n  intro h\n  simp [h]\n```",
        '```lean4\n#check 1\nnotation "one" => 1\ntheorem t : 1 = 1 := by\n  intro h\n  simp [h]\n```',
        "```lean4\nsorry\n```\nNo, better:\n```lean\nintro h\nsimp [h]\n```",
    ],
)
def test_the_tactics_are_found_in_what_a_model_writes(text):
    assert extract_answer(text, "proof") == "intro h\nsimp [h]"


def test_a_line_of_dashes_before_tactics_is_read_at_once():
    with ends():
        assert extract_answer(f"```lean4\n{'-' * 200}\nrfl\n```", "proof") == f"{'-' * 200}\nrfl"


def test_indentation_within_a_proof_stays():
    text = "  have h : 1 = 1 := by\n    rfl\n  exact h\n"
    assert extract_answer(text, "proof") == "have h : 1 = 1 := by\n  rfl\nexact h"
    assert extract_answer("  " + "x" * 3_000, "proof") == "x" * 3_000
    assert extract_answer("x" * 30_000, "proof") is None
