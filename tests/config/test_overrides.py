import shutil
import subprocess
import sys

import pytest

from src.config import overrides, resolvers, schema
from src.config.overrides import checked_main, wrong_overrides


@pytest.fixture(autouse=True)
def registered():
    schema.register()
    resolvers.register()


@pytest.mark.parametrize(
    ("words", "mistakes"),
    [
        (["sed=1"], ["sed: no such option; did you mean 'seed'?"]),
        (["selector=influnce"], ["selector=influnce: no such option; did you mean 'influence'?"]),
        (["selector=influence,randm"], ["selector=randm: no such option; did you mean 'random'?"]),
        (["generator@teacher=opnai"], ["generator@teacher=opnai: no such option; did you mean 'openai'?"]),
        (["corpus=jsonl", "corpus.file=x"], ["corpus.file: no such option; did you mean 'files'?"]),
        (
            ["trainer.threads=1"],
            ["trainer.threads: stands at its default, in no file; a plus sets it: +trainer.threads"],
        ),
        (["trainer.thread=1"], ["trainer.thread: no such option; did you mean 'threads'?"]),
        (["plan.now=1"], ["plan.now: 'plan' is a value and has no options"]),
        (["+experiment=ablation_no_influenc"], ["+experiment=ablation_no_influenc: no such option; did you mean"]),
        (["sed=1", "corpus.librarys=[]"], ["sed: no such option", "corpus.librarys: no such option; did you mean"]),
        (["sed=1", "selector=randm", "selector.x=1"], ["selector=randm: no such option", "sed: no such option"]),
        (["selector=null", "clean=5"], ["selector=null: no such option; it has", "clean=5: no such option"]),
        (["+sed=1", "++hydr.x=1"], ["sed: no such option; did you mean 'seed'", "hydr: no such option"]),
        (["~selector", "~seed"], ["~selector: the method needs it", "~seed: the method needs it"]),
        (["~sed"], ["sed: no such option"]),
    ],
)
def test_every_wrong_name_is_named_with_the_right_one(words, mistakes):
    found = wrong_overrides(words, "config")
    assert len(found) == len(mistakes)
    for line, expected in zip(found, mistakes):
        assert line.startswith(expected)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--cfg", "job"],
        ["seed=1,2", "-m"],
        ["corpus=jsonl", "corpus.files=x.jsonl"],
        ["benchmark=[gsm8k,rg_countdown]"],
        ["hydra.run.dir=/tmp/x"],
        ["+experiment=ablation_no_influence"],
        ["selector=influence,random", "seed=range(3)"],
        ['selector="random"', "+passages.new=1", "+hydra.job.config.x=1"],
    ],
)
def test_right_names_pass(words):
    assert wrong_overrides(words, "config") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("round_1: {calls: 3\n", "broken.yaml, line 3: this is not YAML: expected ',' or '}'"),
        ("seed: ${nothing.here}\n", "refers to what is not there: Interpolation key 'nothing.here' not found"),
    ],
)
def test_a_broken_option_file_is_named(monkeypatch, tmp_path, text, words):
    shutil.copytree(overrides.CONF, tmp_path / "conf")
    (tmp_path / "conf/experiment/broken.yaml").write_text(f"# @package _global_\n{text}")
    monkeypatch.setattr(overrides, "CONF", tmp_path / "conf")
    (mistake,) = wrong_overrides(["+experiment=broken"], "config")
    assert words in mistake


def test_nothing_runs_after_a_mistake():
    def run():
        raise AssertionError("ran")

    with pytest.raises(SystemExit) as end:
        checked_main(run, ["sed=1"], "config")
    assert "sed: no such option" in str(end.value)


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs bubblewrap to make a read-only world")
def test_a_folder_that_cannot_be_written_is_named():
    code = (
        "from src.config import resolvers, schema; schema.register(); resolvers.register()\n"
        "from src.config.overrides import wrong_overrides; print(*wrong_overrides(['outputs=/usr/x/y'], 'config'))"
    )
    command = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=overrides.CONF.parent, capture_output=True, text=True, timeout=60)
    if ran.returncode and "bwrap:" in ran.stderr:
        pytest.skip(f"bubblewrap does not work here: {ran.stderr}")
    assert ran.stdout.strip() == "outputs: nothing can be written in '/usr'; choose another folder: outputs=..."
