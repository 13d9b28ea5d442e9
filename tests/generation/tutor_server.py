"""A server on loopback that answers the four prompts of key-point-driven synthesis, that for the grade of a formal
statement, and embeddings, by their words."""

from __future__ import annotations

import re
from random import Random

from src.checking.rocq import Rocq
from src.core.records import seed_from
from src.embedding.ngrams import NGramEmbedder
from src.generation.procedural.size import Size
from src.generation.procedural.tutor import TASKS
from tests.generation.loopback import Reply, serving

CORNER, SLIPS = Size(families=2, numbers=0.35), 0.15
MARKS = {  # what a prompt says of its task, and where the question is
    "key_points": ("specialist in mathematics education", r"Problem: (.*)\n\nSolution: "),
    "question": ("You are a mathematics teacher", None),
    "rating": ("You are a strict examiner", r"Problem: (.*)\n\nWrite two lines"),
    "answer": ("Solve the last problem", r"Problem: ((?:(?!Problem: )[\s\S])*)\n\nSolution:$"),
    "statement_rating": ("You are a strict judge of formal mathematics", r"Statement:\n(.*)\n\nEnd with the line"),
}


def task_of(prompt: str) -> str:
    return next(task for task, (mark, _) in MARKS.items() if mark in prompt)


def say(prompt: str, seed: int) -> str:
    """What a teacher writes that reads the prompt alone."""
    task = task_of(prompt)
    pattern = MARKS[task][1]
    question = re.search(pattern, prompt, re.DOTALL if task != "answer" else 0)[1] if pattern else ""
    listed = "\n".join(re.findall(r"^- (.*)$", prompt.rpartition("selected ")[2], re.MULTILINE))
    context = {"question": question, "selected": listed, "key_points": listed}
    if task == "statement_rating":
        statement = Rocq().read(question)
        context = {"hypotheses": "\n".join(statement.hypotheses), "conclusion": statement.conclusion}
    return TASKS[task](context, Random(seed_from(prompt, seed)), SLIPS, CORNER)


def answer(number, body):
    if "input" in body:
        vector = NGramEmbedder(dimensions=256).embed([body["input"]], None)[0].tolist()
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return Reply(200, {"object": "list", "data": [{"index": 0, "embedding": vector}], "usage": usage})
    text = say(body["messages"][0]["content"], body["seed"])
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return Reply(200, {"choices": [choice], "usage": {"prompt_tokens": 50, "completion_tokens": 20}})


def tutoring(fault=lambda number, body: None):
    """`fault`: what goes wrong with a request instead, None for nothing."""
    return serving(lambda number, body: fault(number, body) or answer(number, body))
