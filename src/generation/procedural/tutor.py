"""The offline teacher at key-point-driven synthesis: it labels, writes for given topics, rates and solves. Formal
statements it grades.

It reads the question itself (`recognition`); of the prompt around it, `Request.context` says what is wanted. It errs at
`slip_rate`: it writes questions that miss a topic or their own end, misjudges questions, and solves them wrongly, half
the time in the arithmetic and half by misreading a number, so that no step shows it. Of statements it judges whether
they are trivial, not whether they are true, and mistakes one for the other at the same rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from src.generation.procedural.family import Family, spoiled
from src.generation.procedural.recognition import Recognised, recognise
from src.generation.procedural.size import Size
from src.generation.procedural.topics import is_known, key_points_of, labels_of, topics_about, topics_of, words_of
from src.keypoints.asking import write_labels, write_rating
from src.prompts.sets import STAGES
from src.theorems.rating import is_trivial, write_grade

Context = Mapping[str, str]  # of a request

GOOD, BAD = (0.88, 1.0), (0.05, 0.7)  # where scores lie of what a rater finds right, and wrong
TRIVIAL, WORTH_PROVING = ("poor", "fair"), ("good", "excellent")  # grades that it gives
MISREADINGS = (-3, -2, -1, 1, 2, 3)
GIVEN_UP = "I cannot tell what is asked."


def label(context: Context, rng: Random, slip_rate: float, size: Size) -> str:
    """Topics and key points of a question; of one that no family tells, by its words."""
    question = context.get("question", "")
    if (known := recognise(question)) is not None:
        return write_labels(labels_of(known.family, rng))
    return write_labels({rng.choice(t.names): list(t.key_points[:3]) for t in topics_about(words_of(question))})


def compose(context: Context, rng: Random, slip_rate: float, size: Size) -> str:
    """A question of a family that needs most of what is selected, key points or topics, between its tags."""
    selected = context.get("selected", "").split("\n")
    families = [(stage, family) for stage in size.stages or STAGES for family in size.taught(stage)]
    needs = {family: _needed(family, selected) for _, family in families}
    slips = rng.random() < slip_rate
    off_topic = slips and rng.random() < 0.5
    most = 0.0 if off_topic else max(needs.values())
    stage, family = rng.choice([pair for pair in families if needs[pair[1]] >= most])
    problem = family.tell(family.draw(rng, "train", size.ranges(family)), rng, stage=stage, kind="cot", cast="training")
    question = _without_end(problem.question) if slips and not off_topic else problem.question
    return f"<Q> {question} </Q>"


def rate(context: Context, rng: Random, slip_rate: float, size: Size) -> str:
    """The share of the key points that the question's family needs, and whether the question is understood."""
    known = recognise(context.get("question", ""))
    present = _needed(known.family, context.get("key_points", "").split("\n")) if known else rng.random()
    sound = known is not None
    if rng.random() < slip_rate:
        return write_rating(rng.random(), rng.uniform(*(BAD if sound else GOOD)))
    return write_rating(present * rng.uniform(*GOOD), rng.uniform(*(GOOD if sound else BAD)))


def solve(context: Context, rng: Random, slip_rate: float, size: Size) -> str:
    """The family's worked solution with the question's own numbers."""
    known = recognise(context.get("question", ""))
    if known is None:
        return GIVEN_UP
    values = known.values
    if rng.random() < slip_rate:
        misread = _misread(known, rng) if rng.random() < 0.5 else None
        if misread is None:
            return known.family.work_out(known.story, values, "cot", spoiled(values["answer"], rng))
        values = misread
    return known.family.work_out(known.story, values, "cot", values["answer"])


def grade(context: Context, rng: Random, slip_rate: float, size: Size) -> str:
    """Low where a formal statement holds at once."""
    trivial = is_trivial(context.get("hypotheses", "").split("\n"), context.get("conclusion", ""))
    if rng.random() < slip_rate:
        trivial = not trivial
    return write_grade(rng.choice(TRIVIAL if trivial else WORTH_PROVING))


TASKS: Mapping[str, Callable[[Context, Random, float, Size], str]] = {
    "key_points": label,
    "question": compose,
    "rating": rate,
    "answer": solve,
    "statement_rating": grade,
}


def _needed(family: Family, selected: Sequence[str]) -> float:
    """The share of key points or topics that a family's problems need. What the teacher does not know by name counts
    by its words."""
    topics = topics_of(family)
    names = {name for topic in topics for name in topic.names}
    names |= {point for topic in topics for point in key_points_of(family, topic)}
    found = [item in names or (not is_known(item) and bool(family.topics & words_of(item))) for item in selected]
    return sum(found) / len(found)


def _without_end(question: str) -> str:
    """The question cut off in the middle of its last sentence, so that nothing is asked."""
    words = question.split(" ")
    return " ".join(words[: max(3, len(words) - 6)])


def _misread(known: Recognised, rng: Random) -> dict[str, object] | None:
    """What follows when one number is taken for another; None where no other makes a problem."""
    slips = [(name, slip) for name in known.numbers for slip in MISREADINGS]
    for name, slip in rng.sample(slips, len(slips)):
        numbers = {**known.numbers, name: known.numbers[name] + slip}
        if numbers[name] not in known.family.numbers[name]:
            continue
        if (found := known.family.solve(**numbers)) is not None:
            return {**numbers, **found}
    return None
