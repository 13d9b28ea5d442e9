"""Every option of every group and every arm of every experiment composes and passes the preflight."""

import copy
import dataclasses
import re
from collections import Counter
from itertools import cycle, product, zip_longest
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from src.config import resolvers, schema
from src.config.build import bind
from src.config.mistakes import Mistakes
from src.core.errors import UserError
from src.core.fingerprint import is_component, stage_key
from src.pipeline.graph import draw
from src.pipeline.job import OF_EVERY_RUN
from src.pipeline.sections import check_sections

pytestmark = pytest.mark.slow

CONF = Path(__file__).parents[1] / "conf"
MOUNTS = {"generator": ["generator@teacher", "generator@synthesis"], "recipe": ["recipe@pretrain.recipe"]}
SERVER, PRICE = "http://127.0.0.1:8000/v1", {"prompt": 1.0, "completion": 2.0}
INHERITED_ONLY = {"recipe=base"}
LISTS = {"benchmark"}
NEEDS = {"search": "hydra_plugins.hydra_optuna_sweeper"}  # make install EXTRA=cpu,scale
METHODS = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
SCALES = sorted(path.stem for path in (CONF / "scale").glob("*.yaml"))
NOT_OPTIONS = {
    "experiment",
    "hydra",
    "method",
    "stage",
    "reader",
    "embedder",
    "checker",
    "setting",
}  # composed elsewhere


@pytest.fixture(scope="module", autouse=True)
def registered():
    schema.register()
    resolvers.register()


def options():
    """Overrides that name every option of every group at least once, in as few rounds as the largest group has options:
    each round takes the next option of every group, where there is one. A list takes all its options in one round."""
    columns = []
    for group in sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in NOT_OPTIONS):
        found = [path.stem for path in sorted((CONF / group).glob("*.yaml"))]
        found = [option for option in found if f"{group}={option}" not in INHERITED_ONLY]
        if group in LISTS:
            columns.append([f"{group}=[{','.join(found)}]"])
        else:
            columns += [[f"{mount}={option}" for option in found] for mount in MOUNTS.get(group, [group])]
    return [[override for override in round if override] for round in zip_longest(*columns)]


def experiments():
    return sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def composed(overrides, config="config"):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(config, overrides=overrides, return_hydra_config=True)


def preflight(overrides, local_files, config="config"):
    """The nodes that the overrides give, with every value left open (`???`) filled by a local file or folder."""
    cfg = composed(overrides, config)
    written = OmegaConf.to_container(cfg, resolve=False)
    del written["hydra"]
    for dotted in open_values(written):
        kind = "model" if dotted.endswith("name") else "file"
        value = SERVER if dotted.endswith("base_url") else str(local_files[kind])
        OmegaConf.update(cfg, dotted, value, force_add=True)
    for mount in ("teacher", "synthesis"):
        if "price" in written[mount]:
            OmegaConf.update(cfg, f"{mount}.price", PRICE)
    HydraConfig.instance().set_config(cfg)
    plain = OmegaConf.to_container(OmegaConf.masked_copy(cfg, [k for k in cfg if k != "hydra"]), resolve=True)
    mistakes = Mistakes()
    bind(plain["compute"], "compute", mistakes)
    bind(plain["tracker"], "tracker", mistakes)
    graph = draw(plain, mistakes)
    typed = [override for override in overrides if override.lstrip("+").partition("=")[0] != "method"]
    check_sections(plain["method"], written, graph.sections | OF_EVERY_RUN, typed, mistakes)
    mistakes.raise_if_any("Nothing was computed.")
    return list(graph.nodes.values())


def open_values(node, path=""):
    for key, value in node.items():
        if isinstance(value, dict):
            yield from open_values(value, f"{path}{key}.")
        elif value == "???":
            yield f"{path}{key}"


@pytest.fixture
def local_files(tmp_path):
    file, model = tmp_path / "rows.jsonl", tmp_path / "model"
    file.write_text('{"text": "A triangle has three sides.", "question": "1+1?", "answer": "2"}\n')
    model.mkdir()
    (model / "config.json").write_text("{}")
    return {"file": file, "model": model}


@pytest.mark.parametrize("overrides", options(), ids=lambda overrides: " ".join(overrides)[:80])
def test_every_option(overrides, local_files):
    assert preflight(overrides, local_files)[-1].name == "evaluate"


@pytest.mark.parametrize("embedder", sorted(path.stem for path in (CONF / "embedder").glob("*.yaml")))
def test_every_embedder(embedder, local_files):
    assert preflight(["method=kpdds", f"embedder={embedder}"], local_files)[-1].name == "evaluate"


@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_at_every_scale(method, scale, local_files):
    nodes = preflight([f"method={method}", f"scale={scale}"], local_files)
    assert nodes and all(node.key for node in nodes)


@pytest.mark.parametrize("setting", sorted(path.stem for path in (CONF / "setting").glob("*.yaml")))
def test_every_setting(setting, local_files):
    nodes = preflight([f"+setting={setting}", "scale=overnight"], local_files)
    assert nodes[-1].name == "evaluate" and all(node.key for node in nodes)


def test_minutes_on_a_card_read_a_third_of_their_tokens_from_the_corpus(local_files):
    nodes = preflight(["+experiment=grade_school", "+setting=card_minutes", "scale=overnight"], local_files)
    phases = next(node.stage for node in nodes if node.name == "pretrain").recipe.phases
    of_corpus = sum(p.tokens * p.corpora.get("corpus", 0) / sum(p.corpora.values()) for p in phases)
    assert sum(phase.tokens for phase in phases) == 50_000_000
    assert of_corpus > 50_000_000 / 3


READERS = sorted(path.stem for path in (CONF / "reader").glob("*.yaml"))
ALONE = sorted(path.stem for path in (CONF / "stage").glob("*.yaml"))  # more than readers: each of those comes, too


@pytest.mark.parametrize(("stage", "reader"), zip(ALONE, cycle(READERS)))
def test_every_stage_alone(stage, reader, local_files):
    nodes = preflight([f"stage={stage}", f"reader={reader}", f"rows={local_files['file']}"], local_files, "stage")
    assert (nodes[-1].name, nodes[-1].stage.kind) == (stage, stage)
    assert nodes[-1].key and "rows" in {node.name for node in nodes}


def arms_of(experiment):
    """The arms of a sweep without its seeds: each a list of overrides. Of an interval to search, none."""
    written = yaml.safe_load((CONF / "experiment" / f"{experiment}.yaml").read_text())
    params = written.get("hydra", {}).get("sweeper", {}).get("params", {})
    axes = [OverridesParser.create().parse_override(f"{key}={value}") for key, value in params.items() if key != "seed"]
    axes = [axis for axis in axes if axis.is_discrete_sweep() or not axis.is_sweep_override()]
    return list(product(*([f"{axis.get_key_element()}={v}" for v in axis.sweep_string_iterator()] for axis in axes)))


@pytest.mark.slow
@pytest.mark.parametrize("experiment", experiments())
def test_the_last_arm_of_every_experiment(experiment, local_files):
    if experiment in NEEDS:
        pytest.importorskip(NEEDS[experiment])
    *_, arm = arms_of(experiment)
    assert preflight([f"+experiment={experiment}", *arm], local_files)[-1].name == "evaluate"


@pytest.mark.long
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("experiment", experiments())
def test_every_arm_of_every_experiment_at_every_scale(experiment, scale, local_files):
    if experiment in NEEDS:
        pytest.importorskip(NEEDS[experiment])
    arms, keys = arms_of(experiment), []
    for arm in arms:
        nodes = preflight([f"+experiment={experiment}", f"scale={scale}", *arm], local_files)
        keys.append({node.name: node.key for node in nodes})
    assert len({tuple(key.values()) for key in keys}) == len(arms), "two arms are the same"
    shared = set.intersection(*(set(key.values()) for key in keys))
    assert keys[0].get("corpus", next(iter(shared), None)) in shared, "not even the corpus is shared"


def of_no_method():
    """The experiments that do not choose their method themselves."""
    texts = {name: (CONF / "experiment" / f"{name}.yaml").read_text() for name in experiments()}
    return [name for name, text in texts.items() if "override /method:" not in text]


# What a method has no option for; every other of these experiments composes with it. Without a method of their own
# they are jiuzhang3's, as the last arms above are.
NOT_FOR = {
    "direct": {
        *("ablation_rounds", "ablation_no_distillation", "ablation_no_influence", "ablation_influence_threshold"),
        *("ablation_synthesizer_size", "ablation_chosen_corpus", "search"),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", of_no_method())
@pytest.mark.parametrize("method", NOT_FOR)
def test_an_experiment_composes_with_every_method_that_has_its_option(method, experiment, local_files):
    if experiment in NEEDS:
        pytest.importorskip(NEEDS[experiment])
    *_, arm = arms_of(experiment)
    arm = [override for override in arm if not override.startswith("method=")]
    words = [f"+experiment={experiment}", f"method={method}", *arm]
    try:
        composes = bool(preflight(words, local_files))
    except UserError as error:
        assert re.search(rf"the method \S*{method} (has no such option|does not use it)", str(error)), error
        composes = False
    assert composes == (experiment not in NOT_FOR[method])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "last"),
    [
        ("ablation_no_influence", "candidates"),
        ("ablation_data_volume", "generate"),
        ("ablation_decay_mix", "clean"),
        ("ablation_rounds", "synthesizer_1"),
    ],
)
def test_arms_share_all_nodes_up_to_what_they_differ_in(experiment, last, local_files):
    arms = [preflight([f"+experiment={experiment}", *arm], local_files) for arm in arms_of(experiment)]
    names, keys = [node.name for node in arms[0]], [{node.name: node.key for node in arm} for arm in arms]
    shared = {name for name in names if len({key.get(name) for key in keys}) == 1}
    assert shared == set(names[: names.index(last) + 1])


BY_IDENTITY = {"decoding"}  # left out as a field, so that plain sampling keeps its keys; others enter by identity


def variants(value, declared=False):
    """The value with one thing in it changed, for each thing; with whether a declaration leaves that out of keys."""
    if is_component(value):
        for field in dataclasses.fields(value):
            left = bool(field.metadata) and field.name not in BY_IDENTITY
            for left_out, new in variants(getattr(value, field.name), declared or left):
                changed = copy.copy(value)
                object.__setattr__(changed, field.name, new)  # past the checks of the class: a key asks none
                yield left_out, changed
    elif isinstance(value, dict):
        yield declared, {**value, "timeout": next(filter(is_component, value.values()), 1)}
        for name, item in value.items():
            yield from ((left_out, {**value, name: new}) for left_out, new in variants(item, declared))
    elif isinstance(value, (list, tuple)):
        yield declared, [*value, "x"]
        for n, item in enumerate(value):
            yield from ((left_out, [*value[:n], new, *value[n + 1 :]]) for left_out, new in variants(item, declared))
    elif isinstance(value, bool):
        yield declared, not value
    elif isinstance(value, int | float):
        yield declared, value + 1
    else:
        yield declared, f"{value or ''}x"


@pytest.mark.slow
def test_whatever_is_changed_changes_the_key_unless_it_is_declared(local_files, monkeypatch):
    monkeypatch.setattr("src.evaluation.benchmark._procedural", lambda *_: ())  # values that no exam can be drawn by
    seen = Counter()
    for node in {node.stage.kind: node for node in preflight([], local_files)}.values():
        key = stage_key(node.stage, {}, [])
        for left_out, stage in variants(node.stage):
            assert (stage_key(stage, {}, []) == key) == left_out, (node.name, stage)
            seen[left_out] += 1
    assert seen[True] > 50 and seen[False] > 500


@pytest.mark.slow
def test_a_seed_makes_another_student_of_the_same_data(local_files):
    one, two = (preflight(["+experiment=ablation_rounds", f"seed={seed}"], local_files) for seed in (0, 1))
    assert [a.name for a, b in zip(one, two, strict=True) if a.key != b.key] == ["pretrain", "evaluate"]


def test_every_experiment_opens_with_its_question():
    for name in experiments():
        text = (CONF / "experiment" / f"{name}.yaml").read_text()
        assert text.startswith("# @package _global_\n# "), f"{name}: no opening line"
        assert yaml.safe_load(text)["question"].endswith("?")


def test_every_option_says_what_it_is_and_stays_small():
    for path in CONF.glob("*/**/*.yaml"):
        lines = path.read_text().splitlines()
        assert any(line.startswith("# ") and "@package" not in line for line in lines[:2]), f"{path}: no opening line"
        assert len(lines) <= 45, f"{path} is {len(lines)} lines long"


@pytest.mark.parametrize(
    ("method", "taught"), [("puzzle", "puzzle"), ("prover", "theorems"), ("kpdds", "procedural_seen")]
)
def test_a_study_claims_of_what_its_method_teaches(method, taught):
    assert composed([f"method={method}"]).primary == [taught]
