import pytest

from src.config import resolvers, schema
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
        (["plan.now=1"], ["plan.now: 'plan' is a value and has no options"]),
        (["+experiment=ablation_no_influenc"], ["+experiment=ablation_no_influenc: no such option; did you mean"]),
        (["sed=1", "corpus.librarys=[]"], ["sed: no such option", "corpus.librarys: no such option; did you mean"]),
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
    ],
)
def test_right_names_pass(words):
    assert wrong_overrides(words, "config") == []


def test_nothing_runs_after_a_mistake():
    def run():
        raise AssertionError("ran")

    with pytest.raises(SystemExit) as end:
        checked_main(run, ["sed=1"], "config")
    assert "sed: no such option" in str(end.value)
