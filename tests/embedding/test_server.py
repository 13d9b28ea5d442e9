import numpy as np
import pytest

from src.core.errors import UserError
from src.embedding.server import ServedEmbedder
from src.generation import openai_session
from src.generation.budget import Ledger, Price
from src.generation.openai import OpenAIGenerator
from tests.generation.loopback import Reply, serving
from tests.generation.tutor_server import tutoring

TEXTS = ["carrying a ten", "Carrying a ten", "Vieta's formulas", "carrying a ten"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(openai_session, "FIRST_DELAY", 0.01)


def embedder(server, **more):
    fixed = {"api": "embeddings", "api_key_env": None, "timeout": 2, "max_retries": 2}
    return ServedEmbedder(OpenAIGenerator("vectors", server.url, **fixed, **more))


def replying(*vector):
    return serving(lambda number, body: Reply(200, {"data": [{"embedding": list(vector)}], "usage": {}}))


def test_each_text_has_its_vector_and_is_paid_for_once(tmp_path):
    with tutoring() as server:
        found = embedder(server, price=Price(2.0, 0.0)).embed(TEXTS, tmp_path)
        again = embedder(server).embed(TEXTS[::-1], tmp_path)
        assert [body["input"] for body in server.bodies].count("carrying a ten") == 1
        assert set(server.bodies[0]) == {"model", "input"} and len(server.bodies) == 3
    np.testing.assert_array_equal(found, again[::-1])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert found[0] @ found[1] > 0.9 > found[0] @ found[2]
    spent = Ledger(tmp_path / "ledger.sqlite").spent("default")
    assert (spent.calls, spent.prompt_tokens, spent.dollars) == (3, 15, pytest.approx(3e-5))


def test_no_texts_have_no_vectors(tmp_path):
    with tutoring() as server:
        assert len(embedder(server).embed([], tmp_path)) == 0


@pytest.mark.parametrize("vector", [[], ["x"], [None, 1.0], [float("nan")]])
def test_what_is_no_vector_is_told(tmp_path, vector):
    with replying(*vector) as server, pytest.raises(UserError):
        embedder(server).embed(["x"], tmp_path)


def test_vectors_of_two_lengths_are_told(tmp_path):
    def reply(number, body):
        return Reply(200, {"data": [{"embedding": [1.0] * (number + 2)}], "usage": {}})

    with serving(reply) as server, pytest.raises(UserError, match="different lengths"):
        embedder(server).embed(["x", "y"], tmp_path)


def test_another_api_is_refused():
    with pytest.raises(ValueError, match="api=embeddings"):
        ServedEmbedder(OpenAIGenerator("m", "http://127.0.0.1:1/v1"))
