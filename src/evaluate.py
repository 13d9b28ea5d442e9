"""Put benchmarks to any model: `python -m src.evaluate model=DIR benchmark=[gsm8k,math500]`.

Prints a table and leaves `accuracy.json`, `predictions/`, `samples.json` and `conditions.json` in
`outputs/evaluations/<name>/`, just as the pipeline's last stage does. The same command again goes on where it was.
`compare=[A,B]` lists what flipped.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config import resolvers
from src.config.overrides import CONF, checked_main, told_plainly
from src.core import stopping
from src.core.errors import UserError

if TYPE_CHECKING:
    from src.stages.evaluate import Evaluate

STAGE_OPTIONS = ("samples", "temperature", "top_p", "prompting", "shots", "turns", "data_seed")
FOR_ALL_BENCHMARKS = ("every", "limit")
MODEL = "model="

resolvers.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Evaluate `config.model`, or compare two earlier evaluations."""
    with told_plainly():
        run(config)


def run(config: DictConfig) -> None:
    """The command's work. Raises UserError for what the user can mend."""
    stopping.keep_open_pipes()
    if config.compare:
        print(comparison(Path(config.output), list(config.compare)))
        return
    stage = build_stage(config)
    model = model_folder(config)
    folder = Path(config.output) / (config.name or Path(config.model.get("name") or model).name)
    rows = evaluate(stage, model, folder, Path(config.cache), OmegaConf.to_container(config, resolve=True))
    print(table(rows, json.loads((folder / "conditions.json").read_text())))
    counts = json.loads((folder / "evaluation.json").read_text())["counts"]
    for reason, count in counts["failed"].items():
        print(f"{count:,} of {counts['in']:,} answers: {reason}")
    print(f"{folder}/")


def build_stage(config: DictConfig) -> Evaluate:
    """The pipeline's own stage, from this command's options. Raises UserError for options that make no sense."""
    from src.config.build import build

    plain: Any = OmegaConf.to_container(config, resolve=True)
    options = {name: plain[name] for name in STAGE_OPTIONS}
    for_all = {name: plain[name] for name in FOR_ALL_BENCHMARKS if plain[name] is not None}
    benchmarks = {name: {**node, **for_all} for name, node in plain["benchmark"].items()}
    parts = {"benchmarks": benchmarks, "engine": plain["engine"]}
    return build({"_target_": "src.stages.evaluate.Evaluate", **parts, **options}, "evaluate")


def model_folder(config: DictConfig) -> str:
    """The model that `config.model` describes, fetched or unpacked where that is due."""
    from src.config.build import build
    from src.modeling.sources import ModelSource

    if OmegaConf.is_missing(config.model, "name"):
        raise UserError("No model is named.", "Add model=FOLDER, a Hugging Face folder or a name on the hub.")
    plain: Any = OmegaConf.to_container(config.model, resolve=True)
    source: ModelSource = build(plain, "model")
    if source.made_here:
        raise UserError(f"There is nothing to evaluate: {source.title()}.", "Add model=FOLDER, that of a trained one.")
    cache = Path(config.cache)
    return source.prepare(cache / "models", list, 0, cache)


def evaluate(stage: Evaluate, model: str, folder: Path, cache: Path, options: Any = None) -> list[dict[str, Any]]:
    """Run the stage on one model; results go to `folder`, and so does the journal until they are complete.

    `options` are kept beside the results, for people.
    """
    from src.core.stage import StageContext
    from src.stages.evaluate import STUDENT

    work = folder / f"unfinished-{_digest(model)}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    ctx = StageContext(out=folder, work=work, inputs={}, cache=cache)
    rows = stage.evaluate({STUDENT: model}, ctx)
    ctx.tally.check()
    record = {"options": options, "counts": ctx.tally.as_dict()}
    (folder / "evaluation.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for journal in folder.glob("unfinished-*"):
        shutil.rmtree(journal)
    return rows


def _digest(model: str) -> str:
    """What tells a retrained model in the same folder from the one that an interrupted evaluation began with."""
    from src.core.records import content_id

    files = sorted(path for path in Path(model).glob("*") if path.is_file())
    return content_id(model, *((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files))


def table(rows: list[dict[str, Any]], conditions: dict[str, Any]) -> str:
    """The accuracies as Markdown, each with its 95 % interval. (Those by subject are in `accuracy.json` only.)

    "timeouts" counts the answers that the grader gave up on, which count as wrong.
    """
    seconds = {speed["benchmark"]: speed["seconds_per_question"] for speed in conditions["speed"]}
    head = "| benchmark | group | questions | accuracy % | 95 % interval | timeouts | finished % | tokens | seconds |"
    lines = [head, "|---|---|--:|--:|--:|--:|--:|--:|--:|"]
    for row in (row for row in rows if not row["group"].startswith("subject:")):
        interval = f"{100 * row['low']:.1f} - {100 * row['high']:.1f}"
        each = f"{seconds[row['benchmark']]:.2g}" if row["group"] == "all" else ""
        lines.append(
            f"| {row['benchmark']} | {row['group']} | {row['n']:,} | {100 * row['accuracy']:.1f} | {interval} "
            f"| {row['timeouts']:,} | {100 * row['finished']:.0f} | {row['mean_tokens']:.0f} | {each} |"
        )
    return "\n".join(lines)


def comparison(output: Path, names: list[str]) -> str:
    """What two evaluations answered differently, by benchmark, with a paired test."""
    from src.evaluation.compare import compare

    if len(names) != 2:
        raise UserError(f"compare takes two names, not {len(names)}.", "Write compare=[A,B].")
    return compare(*(output / name for name in names))


def spelled_out(words: Sequence[str]) -> list[str]:
    """The command line with model=DIR as model=hf model.name=DIR, for `model` is a group; its options stay."""
    options = {path.stem for path in (CONF / "model").glob("*.yaml")}
    spelled: list[str] = []
    for word in words:
        named = word.startswith(MODEL) and not set(word.removeprefix(MODEL).split(",")) <= options
        spelled += ["model=hf", f"model.name={word.removeprefix(MODEL)}"] if named else [word]
    return spelled


if __name__ == "__main__":
    sys.argv[1:] = spelled_out(sys.argv[1:])
    with stopping.command():
        checked_main(main, sys.argv[1:], "evaluate")
