import json
from types import SimpleNamespace

from src.core.records import Prompt
from src.generation.base import Completion, Request, Session
from src.stages.asking import Asking


class Refusing(Session):
    def stream(self, requests):
        for request in requests:
            yield Completion(request.id, "", "error", error="bad request: unexpected \ud83d")


class Bar:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def advance(self):
        pass


def test_a_reason_that_no_file_can_hold_does_not_end_the_stage(tmp_path):
    asking = Asking(SimpleNamespace(work=tmp_path, progress=lambda *args, **options: Bar()), "teacher")
    prompt = Prompt(id="p", passage_id="q", stage="s", kind="cot", text="t")
    asking.all([(prompt, Request("r", "t", 0))], 1, Refusing)
    assert asking.failed == {"bad request": 1}
    [row] = (tmp_path / "dead_letter.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(row)["error"] == "bad request: unexpected ?"
