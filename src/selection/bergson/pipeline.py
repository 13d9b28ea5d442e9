"""Rows for bergson, its run over each target, and the scores that it leaves. Options in `src.selection.bergson`.

bergson runs in a process of its own and skips what it has finished when it is started again. What it fits to the
candidates alone serves every target.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from src.core.errors import UserError, require
from src.core.processes import end_group
from src.core.progress import LOG_EVERY_SECONDS
from src.core.records import Example
from src.modeling.loading import load_config, load_tokenizer, longest_row
from src.selection.base import Reference, nothing_to_read
from src.selection.bergson import Bergson
from src.selection.candidates import ById
from src.selection.packed import NO_RESPONSE, WINDOW, encode
from src.selection.ranking import Ranking, by_target
from src.selection.score_cache import cached

VERSION = 2  # of the meaning of the cached scores
NOT_FINITE = "score is not finite"
OF_CANDIDATES = ("value_hessian", "hessian")  # folders of a run that no target has a part in


def rank(options: Bergson, candidates: Sequence[Example], reference: Reference) -> Ranking:
    """Scores of all candidates, from the cache where they have been computed before."""
    require("bergson", "selector=bergson")
    pool = ById(candidates)
    targets = options.target_examples()

    def compute() -> Ranking:
        return _rank(options, pool, targets, reference)

    return cached("bergson", VERSION, options, pool, targets, reference, compute)


def _rank(
    options: Bergson, candidates: ById, targets: Mapping[str, Sequence[Example]], reference: Reference
) -> Ranking:
    home = reference.work / "bergson"
    tokenizer = load_tokenizer(reference.model)
    longest = longest_row(load_config(reference.model), options.max_length)
    ids = write_rows(home / "candidates", tokenizer, candidates, longest)
    skipped = dict.fromkeys(candidates.number.keys() - set(ids), NO_RESPONSE)
    if not ids:
        raise UserError(
            f"None of the {len(candidates)} candidates has a response within selector.max_length={options.max_length}.",
            "Raise it.",
        )
    columns: list[np.ndarray] = []
    for number, (name, examples) in enumerate(targets.items()):
        run = home / f"target-{number}"
        if not write_rows(home / f"rows-{number}", tokenizer, examples, longest):
            raise nothing_to_read(name, "max_length", options.max_length)
        if number:
            _share(home / "target-0", run)
        steps = plan_steps(options, reference, home / "candidates", home / f"rows-{number}", run)
        _run(steps, run, name, reference)
        columns.append(read_scores(run / "scores"))
    found = np.stack(columns, axis=1)
    finite = np.isfinite(found).all(1)
    skipped |= {id: NOT_FINITE for id, fine in zip(ids, finite.tolist()) if not fine}
    spread = found[finite].std(0)
    kept = [id for id, fine in zip(ids, finite.tolist()) if fine]
    scores = by_target(list(targets), found[finite] / np.where(spread > 0, spread, 1.0))
    return Ranking(kept, scores, dict(sorted(skipped.items())))


def write_rows(folder: Path, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[str]:
    """Leave a dataset of tokens and labels, of those rows that have response tokens; returns their ids."""
    from datasets import Dataset, Features, Value, disable_progress_bars
    from datasets.features import List

    disable_progress_bars()
    shutil.rmtree(folder, ignore_errors=True)
    ids: list[str] = []

    def rows() -> Iterator[dict[str, Any]]:
        for first in range(0, len(examples), WINDOW):
            for row in encode(tokenizer, examples[first : first + WINDOW], max_length):
                if row.response_tokens:
                    ids.append(row.id)
                    labels = [-100] * row.start + row.tokens[row.start :]
                    yield {"input_ids": row.tokens, "labels": labels, "length": len(row.tokens)}

    every = rows()
    if (first := next(every, None)) is None:
        return []
    columns = {"input_ids": List(Value("int32")), "labels": List(Value("int32")), "length": Value("int32")}
    made = folder.with_name(f"{folder.name}.made")
    shutil.rmtree(made, ignore_errors=True)
    # The name of the folder stands for the hash of the generator, whose work is not to be skipped.
    data = Dataset.from_generator(
        lambda: chain([first], every), Features(columns), cache_dir=str(made), fingerprint=folder.name
    )
    data.save_to_disk(str(folder))
    shutil.rmtree(made)
    return ids


def plan_steps(
    options: Bergson, reference: Reference, candidates: Path, target: Path, run: Path
) -> list[dict[str, dict[str, Any]]]:
    """The `steps` of bergson's own configuration file, less those of "cosine" that are done."""
    index = {
        "run_path": str(run),
        "model": str(reference.model),
        "data": {"dataset": str(candidates)},
        "precision": "bf16" if options.precision == "bf16" else "fp32",
        "loss_reduction": "mean",
        "projection_dim": options.projection,
        "filter_modules": options.exclude,
        "token_batch_size": options.batch_tokens,
        "fsdp": options.fsdp,
        "distributed": {"nproc_per_node": reference.workers},
    }
    query = {"dataset": str(target), "aggregation": "mean"}
    cosines = {"unit_normalize": True}
    if options.method == "trackstar":
        settings = {"query": query, "preprocess_cfg": cosines, "resume": True}
        return [{"trackstar": {"index_cfg": index, "trackstar_cfg": settings}}]
    if options.method == "ekfac":
        return [
            {
                "ekfac": {
                    "index_cfg": index,
                    "hessian_cfg": {"method": "kfac", "ev_correction": True},
                    "score_cfg": {},
                    "preprocess_cfg": {},
                    "hessian_pipeline_cfg": {"query": query, "resume": True},
                }
            }
        ]
    apart = {name: {**index, "run_path": str(run / name), "overwrite": True} for name in ("query", "scores")}
    build = {"index_cfg": {**apart["query"], "data": {"dataset": str(target)}}}
    build["preprocess_cfg"] = {**cosines, "aggregation": "mean"}
    score = {"index_cfg": apart["scores"], "score_cfg": {"query_path": str(run / "query")}, "preprocess_cfg": cosines}
    steps: dict[str, dict[str, dict[str, Any]]] = {"query": {"build": build}, "scores": {"score": score}}
    return [step for name, step in steps.items() if not (run / name).exists()]


def read_scores(folder: Path) -> np.ndarray:
    """The one column of a folder of scores; rows that were never written are nan."""
    from bergson.data import load_scores

    stored = load_scores(folder)
    values = np.array(stored[:], dtype=np.float64).reshape(-1)
    values[~np.asarray(stored.mmap["written_0"])] = np.nan
    return values


def _share(first: Path, run: Path) -> None:
    """What the first run fitted to the candidates, under the name where another run looks for it."""
    run.mkdir(parents=True, exist_ok=True)
    for name in OF_CANDIDATES:
        if (first / name).exists() and not (run / name).exists():
            (run / name).symlink_to(first / name, target_is_directory=True)


def _run(steps: Sequence[Mapping[str, Any]], run: Path, target: str, reference: Reference) -> None:
    """Start bergson and wait; its last line, a bar with what is left, is told now and then. Raises UserError where it
    fails."""
    if not steps:
        return
    run.mkdir(parents=True, exist_ok=True)
    config, output = run / "steps.yaml", run / "output.log"
    # JSON is YAML. Without a path of the whole, bergson puts what it ran into a folder where the user stands.
    config.write_text(json.dumps({"run_path": str(run), "steps": list(steps)}), encoding="utf-8")
    how = {"model": str(reference.model), "threads": reference.trainer.threads, "device": reference.trainer.device}
    command = [sys.executable, "-u", "-m", "src.selection.bergson.worker", str(config), json.dumps(how)]
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        while _runs(process):
            print(f"    bergson, target {target}: {_last_line(output)}", file=sys.stderr, flush=True)
    finally:
        end_group(process)
    if process.returncode:
        raise UserError(
            f"bergson ended with code {process.returncode} at target '{target}': {_last_line(output)}",
            f"Its whole output lies in {output}; where memory was short, lower selector.batch_tokens or set "
            "selector.fsdp=true.",
        )


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """Whether it still does, after some seconds."""
    try:
        process.wait(LOG_EVERY_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _last_line(output: Path) -> str:
    text = output.read_bytes()[-4_000:].decode(errors="replace").replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it has said nothing"
