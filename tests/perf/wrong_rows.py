"""Damaged rows among good ones: which are found, by kind, and how many good rows are refused.

    python -m tests.perf.wrong_rows DATA [--rows 5000] [--damaged 500] [--programs]

DATA is a folder with `corpus/jiuzhang_{cot,tool,sft}_sample.jsonl` and `benchmarks/*.jsonl`, as their publishers
wrote them. Good rows are the samples of the released corpora, then solved GSM8K and MATH-500 problems; the exam is
SVAMP and MAWPS. A damaged row is found when it is refused, or when its repair is named and gives the row as it was.
What others wrote is not good because they wrote it: `faulty_rows.jsonl` names the refused rows in which a reading by
hand found the fault that they were refused for. They are no good rows, and are counted apart.
Only a quarter of the released rows has a box, so none is asked for. The good rows' own programs run with `--programs`
alone (minutes).
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, cycle, islice
from pathlib import Path
from random import Random
from types import SimpleNamespace

from src.cleaning.checks import Checks
from src.core.records import Generation, content_id
from src.generation.procedural.sets import training_problems
from src.text.arithmetic import check_arithmetic
from src.text.normalise import normalise
from src.text.parsing import ParsedProblem, Rejection, format_response, parse_generation
from src.text.quality import Rules

Solved = tuple[str, str]
FAULTY = {json.loads(line)["row"] for line in Path(__file__).with_name("faulty_rows.jsonl").open(encoding="utf-8")}
CHECKS = Checks(rules=Rules(boxed=False))
SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda q: q,
    lambda q: q.upper(),
    lambda q: f"{q} Give your answer as an integer.",
    lambda q: f"Here is a riddle. {q}",
    lambda q: f"**{q}**",
    lambda q: re.sub(r"\d+", lambda n: f"${n[0]}$", q),
    lambda q: re.sub(r"\d+", lambda n: f"\\({n[0]}\\)", q),
    lambda q: re.sub(r"(\d)(\d{3})\b", r"\1,\2", q),
    lambda q: q.replace("?", ", if all goes well?"),
    lambda q: re.sub(r"\s+", "\n", q),
    lambda q: q.replace(",", " ;").replace(".", " ."),
    lambda q: f"{q}\n\nExplain each step and box the result.",
)


def rows_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def good_rows(data: Path) -> Iterator[tuple[str, str, str]]:
    """(kind, question, solution)."""
    for name in ("cot", "sft", "tool"):
        for row in rows_of(data / "corpus" / f"jiuzhang_{name}_sample.jsonl"):
            question = re.sub(r"^## Question\n", "", row["input"]).rpartition("\n\n## ")[0]
            yield ("tool" if "```python" in row["output"] else "cot"), question, row["output"]
    for row in rows_of(data / "benchmarks" / "gsm8k.jsonl"):
        yield "cot", row["question"], re.sub(r"<<[^<>\n]*>>", "", row["answer"])
    for row in rows_of(data / "benchmarks" / "math500.jsonl"):
        yield "cot", row["problem"], row["solution"]


def exam(data: Path) -> list[str]:
    svamp = [f"{row['Body']} {row['Question']}" for row in rows_of(data / "benchmarks" / "svamp.jsonl")]
    return svamp + [row["input"] for row in rows_of(data / "benchmarks" / "mawps.jsonl")]


def told(question: str, solution: str) -> str:
    return format_response(question, solution)


def damages(questions: list[str], rng: Random) -> dict[str, Callable[[Solved], str]]:
    """By kind, how a solved natural-language problem is damaged."""
    spelling = cycle(SPELLINGS)

    def inserted(what: str) -> Callable[[Solved], str]:
        return lambda row: told(row[0][:9] + what + row[0][9:], row[1])

    def second(what: str) -> Callable[[Solved], str]:
        return lambda row: told(*row) + what

    return {
        "NUL": inserted("\x00"),
        "escape character": inserted("\x1b[1m"),
        "lone surrogate": inserted("\ud83d"),
        "lost characters": inserted("\ufffd\ufffd"),
        "form feed for \\f": lambda row: told(row[0], row[1] + "\nIndeed $\frac{1}{2} < 1$."),
        "tab for \\t": lambda row: told(row[0], row[1] + "\nIndeed $2 \times 3 = 6$."),
        "backspace for \\b": lambda row: told(row[0], row[1] + "\nSo \boxed{6}."),
        "draft in thoughts": lambda row: (
            f"<think>\n{told('What is 1 + 1, I wonder?', 'It is two.')}\n</think>\n{told(*row)}"
        ),
        "cut thoughts": lambda row: f"<think>\nLet me see. {told(*row)}",
        "two problems": second("\n\n[Problem]\nWhat is the sum of 2 and 3?\n\n[Solution]\nIt is \\boxed{5}."),
        "two solutions": second("\n\n[Solution]\nAnother way gives \\boxed{5}."),
        "remark at the end": second("\n\nLet me know if you would like another problem!"),
        "no solution": lambda row: f"[Problem]\n{row[0]}",
        "empty solution": lambda row: told(row[0], ""),
        "wrong sum": lambda row: told(row[0], f"{row[1]}\nBesides, {(n := rng.randint(12, 99))} * 7 = {7 * n + 3}."),
        "prompt in the question": lambda row: told(row[0] + "\n\n# Guidelines\n- It stands alone.", row[1]),
        "missing figure": lambda row: told("In the figure below, a segment is drawn. " + row[0], row[1]),
        "missing passage": lambda row: told("According to the passage, answer this. " + row[0], row[1]),
        "answer in the question": lambda row: told(row[0] + " The answer is \\boxed{7}.", row[1]),
        "no answer in the box": lambda row: told(row[0], "We argue step by step.\n\\boxed{\\text{Proved}}"),
        "unbalanced LaTeX": lambda row: told(row[0], row[1] + "\nSo $\\frac{1}{2 is less than one."),
        "endless repetition": lambda row: told(
            row[0], row[1] + "\nWe go on as we did before and add one more to it." * 40
        ),
        "exam question": lambda row: told(next(spelling)(rng.choice(questions)), row[1]),
        "exam question in the solution": lambda row: told(
            row[0], f"Such a task was:\n{next(spelling)(rng.choice(questions))}\n{row[1]}"
        ),
    }


def programs(rng: Random) -> dict[str, Callable[[str], str]]:
    """By kind, how the solution of a tool problem is damaged."""
    return {
        "other output": lambda s: re.sub(r"(```output\n)(.*?)(\n```)", r"\g<1>\g<2>9\3", s, flags=re.DOTALL),
        "other box": lambda s: re.sub(r"\\boxed\{", r"\\boxed{9", s),
    }


def judged(rows: list[tuple[Generation, str]], data: Path, checks: Checks) -> list[ParsedProblem | Rejection]:
    questions = [SimpleNamespace(id=str(n), text=text) for n, text in enumerate(exam(data))]
    index = checks.index({"exam": SimpleNamespace(questions=lambda: questions)})
    read = ((row, parse_generation(row.text, row.kind)) for row, _ in rows)
    return [result for _, result in checks.judge(read, index)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--damaged", type=int, default=500)
    parser.add_argument("--programs", action="store_true", help="run the good rows' programs too")
    options = parser.parse_args()
    rng = Random(0)

    good = list(islice(good_rows(options.data), options.rows))
    if short := options.rows - len(good):
        good += [(p.kind, p.question, p.solution) for p in training_problems(short, seed=0)]
    plain = [(q, s) for kind, q, s in good if kind == "cot" and len(q) > 30]
    plain = [(q, s) for q, s in plain if check_arithmetic(s).wrong is None and "```" not in s and "\\boxed" not in q]
    kinds = damages(exam(options.data), rng)
    tools = programs(rng)
    each = options.damaged // (len(kinds) + len(tools))
    extra = options.damaged - each * (len(kinds) + len(tools))
    damaged: list[tuple[str, str, Solved, str]] = []
    for kind, damage in kinds.items():
        count = each + (extra if kind == "exam question" else 0)
        damaged += [(kind, "cot", row, damage(row)) for row in rng.sample(plain, count)]
    solved = training_problems(each * len(tools), seed=1, tool_share=1.0)
    for (kind, spoil), problem in zip(chain.from_iterable([item] * each for item in tools.items()), solved):
        row = (problem.question, problem.solution)
        damaged.append((kind, "tool", row, told(row[0], spoil(row[1]))))

    rows = [(_generation(f"d{n}", kind, text), what) for n, (what, kind, _, text) in enumerate(damaged)]
    results = judged(rows, options.data, CHECKS)
    found, missed = Counter[str](), Counter[str]()
    for (what, _, row, _), result in zip(damaged, results, strict=True):
        (found if _is_found(result, row) else missed)[what] += 1
    checks = CHECKS if options.programs else replace(CHECKS, programs="skip")
    kept = judged([(_generation(f"g{n}", k, told(q, s)), "") for n, (k, q, s) in enumerate(good)], options.data, checks)
    refused, right = Counter[str](), Counter[str]()
    for (_, question, solution), result in zip(good, kept, strict=True):
        if isinstance(result, Rejection):
            (right if content_id(question, solution) in FAULTY else refused)[result.reason] += 1

    print(f"{'kind of damage':<30}{'found':>8}{'of':>6}")
    for kind in [*kinds, *tools]:
        print(f"{kind:<30}{found[kind]:>8}{found[kind] + missed[kind]:>6}")
    print(f"{'all':<30}{found.total():>8}{len(damaged):>6}\n")
    fine = len(good) - right.total()
    print(f"good rows refused: {refused.total()} of {fine} ({refused.total() / fine:.2%})")
    for reason, n in refused.most_common():
        print(f"  {n:>4} {reason}")
    print(f"rows of others refused for a fault that they have: {right.total()} of {len(good)}")
    for reason, n in right.most_common():
        print(f"  {n:>4} {reason}")


def _generation(id: str, kind: str, text: str) -> Generation:
    return Generation(id, id, "p", "college", kind, text, "stop", 1, "trial")


def _is_found(result: ParsedProblem | Rejection, row: Solved) -> bool:
    """Refused, or mended under a name: no draft, no second problem and no control character is left."""
    if isinstance(result, Rejection):
        return True
    whole = result.question == normalise(row[0]) and result.solution.startswith(normalise(row[1]))
    return bool(result.repairs) and whole and not re.search("[\x00-\x08\x0b-\x1f]|\\[Problem|\t", result.solution)


if __name__ == "__main__":
    main()
