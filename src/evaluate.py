"""Put benchmarks to any model: `python -m src.evaluate model=DIR benchmark=[gsm8k,math500]`.

Prints a table and leaves `accuracy.json`, `predictions/` and `samples.json` in `outputs/evaluations/<name>/`, just as
the pipeline's last stage does. The same command again goes on where it was. `compare=[A,B]` lists what flipped.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from src.core.errors import UserError

if TYPE_CHECKING:
    from src.stages.evaluate import Evaluate

STAGE_OPTIONS = ("samples", "temperature", "top_p", "prompting", "shots", "data_seed")


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Evaluate `config.model`, or compare two earlier evaluations."""
    if config.compare:
        print(comparison(Path(config.output), list(config.compare)))
        return
    if OmegaConf.is_missing(config, "model"):
        raise UserError("No model is named.", "Add model=FOLDER, a Hugging Face folder or a name on the hub.")
    folder = Path(config.output) / (config.name or Path(config.model).name)
    options = OmegaConf.to_container(config, resolve=True)
    rows = evaluate(build_stage(config), config.model, folder, Path(config.cache), options)
    print(table(rows), f"\n{folder}/", sep="")


def build_stage(config: DictConfig) -> Evaluate:
    """The pipeline's own stage, from this command's options. Raises UserError for options that make no sense."""
    from hydra.errors import InstantiationException

    from src.stages.evaluate import Evaluate

    try:
        benchmarks = hydra.utils.instantiate(config.benchmark, _convert_="all")
        engine = hydra.utils.instantiate(config.engine, _convert_="all")
    except InstantiationException as error:
        raise UserError(f"An option does not fit: {error.__cause__ or error}", "See conf/benchmark/.") from error
    try:
        return Evaluate(
            benchmarks=benchmarks, engine=engine, baseline=False, **{name: config[name] for name in STAGE_OPTIONS}
        )
    except ValueError as error:
        raise UserError(str(error), "Correct the option on the command line.") from error


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


def table(rows: list[dict[str, Any]]) -> str:
    """The accuracies as Markdown, each with its 95 % interval. (Those by subject are in `accuracy.json` only.)"""
    head = "| benchmark | group | questions | accuracy % | 95 % interval | tokens | finished % |"
    lines = [head, "|---|---|--:|--:|--:|--:|--:|"]
    for row in (row for row in rows if not row["group"].startswith("subject:")):
        interval = f"{100 * row['low']:.1f} - {100 * row['high']:.1f}"
        lines.append(
            f"| {row['benchmark']} | {row['group']} | {row['n']:,} | {100 * row['accuracy']:.1f} | {interval} "
            f"| {row['mean_tokens']:.0f} | {100 * row['finished']:.0f} |"
        )
    return "\n".join(lines)


def comparison(output: Path, names: list[str]) -> str:
    """What two evaluations answered differently, by benchmark, with a paired test."""
    from src.evaluation.compare import compare

    if len(names) != 2:
        raise UserError(f"compare takes two names, not {len(names)}.", "Write compare=[A,B].")
    return compare(*(output / name for name in names))


if __name__ == "__main__":
    main()
