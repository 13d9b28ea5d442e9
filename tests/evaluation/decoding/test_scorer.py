from pathlib import Path

import pytest
import torch

from src.core.errors import UserError
from src.core.fingerprint import pin
from src.evaluation.decoding.rewards import Partial, RewardModel, steps_of
from src.evaluation.decoding.scorer import label_tokens
from src.evaluation.decoding.trees import Levin
from src.modeling.classifier import load_classifier
from src.modeling.loading import load_model, load_tokenizer
from src.modeling.rows import encode_prompts, encode_responses
from tests.generation.tiny import write_reward_model, write_tiny_llama
from tests.modeling.test_classifier import with_layers
from tests.modeling.test_rows import metaspace_tokenizer
from tests.selection.conftest import tiny_lfm2

PARTIALS = [
    Partial("What is 1 + 1?", ("It is 1 + 1.", "So 2.")),
    Partial("What?", ("Nothing.",)),
    Partial("What is 1 + 1?", ("It is 1 + 1.", "So 2.", "\\boxed{2}"), first=2),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_reward_model(tmp_path_factory.mktemp("reward") / "model")


def by_hand(folder, question, steps):
    """One partial solution alone through the model, unpacked."""
    tokenizer, model = load_tokenizer(folder), load_model(folder, "eager")
    good, bad = (ids[0] for ids in encode_responses(tokenizer, ["+", "-"]))
    (ids,) = encode_prompts(tokenizer, [RewardModel(folder).text(question, steps)])
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -1]
    return float(torch.softmax(logits[[good, bad]].float(), 0)[0]), len(ids)


@pytest.mark.parametrize("batch_tokens", [1, 8_192])
def test_a_reward_is_the_good_label_s_share_after_the_step(folder, batch_tokens):
    with RewardModel(folder, batch_tokens=batch_tokens).open() as scorer:
        found = scorer.score(PARTIALS)
    for partial, scores in zip(PARTIALS, found, strict=True):
        expected = [by_hand(folder, partial.question, partial.steps[: n + 1]) for n in range(len(partial.steps))]
        assert scores.rewards == pytest.approx([value for value, _ in expected][partial.first :], abs=1e-5)
        assert scores.tokens == expected[-1][1]  # the longest alone is read: the others are its beginnings


def test_a_reward_does_not_hang_on_the_solution_beside_it(folder, tmp_path):
    """A convolution would carry what it holds from one to the next: such a model reads each in a pass of its own."""
    tokenizer = load_tokenizer(folder)
    tiny_lfm2(len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with RewardModel(str(tmp_path)).open() as scorer:
        together = scorer.score(PARTIALS)
        alone = [scorer.score([partial])[0] for partial in PARTIALS]
    assert [s.rewards for s in together] == [pytest.approx(s.rewards, abs=1e-6) for s in alone]


def test_a_closed_reward_model_is_closed_once_and_says_so(folder):
    with RewardModel(folder).open() as scorer:
        scorer.close()
    with pytest.raises(RuntimeError, match="this reward model is closed"):
        scorer.score(PARTIALS)


@pytest.mark.parametrize("emulates", [True, False])
def test_a_model_stored_in_bfloat16_computes_in_it_where_the_processor_can(folder, tmp_path, monkeypatch, emulates):
    """Where it would be emulated it reads in float32, and rewards are to the digit those of the same weights there."""
    stored = str(tmp_path / "stored")
    load_model(folder, "eager", torch.bfloat16).save_pretrained(stored)
    load_tokenizer(folder).save_pretrained(stored)
    monkeypatch.setattr("src.evaluation.decoding.scorer.emulates_bfloat16", lambda: emulates)
    seen = []
    with RewardModel(stored).open() as scorer:
        forward = type(scorer)._good
        monkeypatch.setattr(
            type(scorer), "_good", lambda self, logits: (seen.append(logits.clone()), forward(self, logits))[1]
        )
        found = scorer.score(PARTIALS)
    rounded = [logits.to(torch.bfloat16).float().equal(logits) for logits in seen]
    assert all(rounded) != emulates
    for partial, scores in zip(PARTIALS, found, strict=True):
        steps = range(partial.first, len(partial.steps))
        expected = [by_hand(stored, partial.question, partial.steps[: n + 1])[0] for n in steps]
        assert scores.rewards == pytest.approx(expected, abs=1e-5 if emulates else 2e-2)


def least_likely(folder, question, steps):
    """Of the last step's tokens the least probability, one text alone through the model, unpacked."""
    tokenizer, model = load_tokenizer(folder), load_model(folder, "eager")
    before, after = (RewardModel(folder).text(question, part) for part in (steps[:-1], steps))
    start, ids = encode_prompts(tokenizer, [before, after.removesuffix("\n")])
    assert ids[: len(start)] == start
    with torch.no_grad():
        shares = model(torch.tensor([ids])).logits[0].float().softmax(-1)
    return min(float(shares[n - 1, ids[n]]) for n in range(len(start), len(ids))), len(ids)


@pytest.mark.parametrize("batch_tokens", [1, 8_192])
def test_a_likelihood_is_that_of_the_step_s_least_likely_token(folder, batch_tokens):
    with RewardModel(folder, batch_tokens=batch_tokens, judge="likelihood").open() as scorer:
        found = scorer.score(PARTIALS)
        assert scorer.score([Partial("What?", ("long" * 200,))])[0].rewards == (0.0,)
    for partial, scores in zip(PARTIALS, found, strict=True):
        steps = [partial.steps[: n + 1] for n in range(partial.first, len(partial.steps))]
        expected = [least_likely(folder, partial.question, each) for each in steps]
        assert scores.rewards == pytest.approx([value for value, _ in expected], abs=1e-6)
        assert scores.tokens == sum(read for _, read in expected)


def test_a_head_s_reward_is_its_second_class_at_the_end_of_each_step(folder, tmp_path):
    """Written as published ones are, with a separator that only stands between steps."""
    options = {"step": "{step}#", "between": "\n", "judge": "classes"}
    with_layers(Path(folder), tmp_path / "prm", 64, 2)
    model = RewardModel(str(tmp_path / "prm"), **options)
    assert model.text("Why?", ["One.", "Two."]).endswith("One.#\nTwo.#")
    tokenizer = load_tokenizer(folder)
    classifier = load_classifier(str(tmp_path / "prm"), "eager", torch.float32, classes=2)
    with model.open() as scorer:
        found = scorer.score(PARTIALS)
    for partial, scores in zip(PARTIALS, found, strict=True):
        (ids,) = encode_prompts(tokenizer, [model.text(partial.question, partial.steps)])
        ends = [n for n, token in enumerate(tokenizer.convert_ids_to_tokens(ids)) if token == "#"][
            -len(partial.steps) :
        ]
        with torch.no_grad():
            logits = classifier(input_ids=torch.tensor([ids]), logits_to_keep=torch.tensor(ends)).logits[0]
        assert scores.rewards == pytest.approx(logits.softmax(-1)[partial.first :, 1].tolist(), abs=1e-5)


def test_labels_behind_a_space_are_found_in_a_tokenizer_that_marks_beginnings():
    """Math-Shepherd's are " +" and " -", tokens of Mistral's tokenizer that no text begins with."""
    tokenizer = metaspace_tokenizer("+", "-")
    good, bad = label_tokens(tokenizer, RewardModel("m", labels=(" +", " -")))
    assert tokenizer.convert_ids_to_tokens([good, bad]) == ["\u2581+", "\u2581-"]


def test_what_the_model_cannot_read_is_worth_nothing(folder):
    with RewardModel(folder).open() as scorer:
        (scores,) = scorer.score([Partial("What?", ("short", "long" * 200))])
        assert scores.rewards[1] == 0 < scores.rewards[0]
        assert scorer.score([]) == []


@pytest.mark.parametrize("labels", [("good", "bad"), ("+", "++")])
def test_labels_are_single_tokens(folder, labels):
    with pytest.raises(UserError, match="must be one each"):
        RewardModel(folder, labels=labels).open()


def test_a_reward_model_that_nobody_knows_is_told_before_anything_runs(folder, monkeypatch):
    def nowhere(name, kind, instead):
        raise UserError(f"There is no {kind} {name}.", instead)

    monkeypatch.setattr("src.evaluation.decoding.rewards.commit", nowhere)
    absent = []
    decoding = Levin(reward="math_shepherd")
    assert pin(decoding, absent) == decoding
    (error,) = absent
    assert "+decoding/reward=math_shepherd" in error.mend
    assert pin(Levin(reward=str(folder)), none := []) == Levin(reward=str(folder)) and none == []


def test_a_model_that_has_not_learnt_to_reward_is_refused_before_anything_runs(tmp_path):
    plain = write_tiny_llama(tmp_path / "plain")
    (Path(plain) / "README.md").write_bytes("# Modèle".encode("latin-1"))
    pin(Levin(reward=plain), absent := [])
    (error,) = absent
    assert f"The model {plain} has not learnt to reward steps" in error.problem
    assert "python -m src.train method=reward model=hf model.name=DIR" in error.mend
    for taken in (
        Levin(reward=plain, judge="likelihood"),
        Levin(reward=plain, judge="classes"),
        Levin(reward=RewardModel(plain, labels=(" +", " -"))),
    ):
        assert pin(taken, none := []) == taken and none == []


def test_a_stage_s_folder_is_as_good_as_the_model_in_it(folder, tmp_path):
    (tmp_path / "model").symlink_to(folder)
    assert RewardModel(str(tmp_path)).place == str(tmp_path / "model")
    assert RewardModel(str(tmp_path)).identity() == RewardModel(folder).identity() != {}


@pytest.mark.parametrize(
    ("options", "match"),
    [({"labels": ("+", "+")}, "labels"), ({"prompt": "no slot"}, "prompt"), ({"step": "no slot"}, "step")],
)
def test_senseless_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        RewardModel("m", **options)


def test_blank_lines_are_no_steps():
    assert steps_of("One.\n\n Two.\n") == ("One.", " Two.")
