"""A local cluster of several Ray nodes: lost ones cost what they had not delivered, and change no text."""

from pathlib import Path

import pytest

from src.core.errors import UserError
from src.core.records import Generation, Prompt, read_table
from src.generation.base import Request, Sampling
from src.generation.pool import Pool
from src.generation.vllm import VLLMGenerator
from src.pipeline.launch import Local, RayCluster
from tests.generation.toys import Leisurely
from tests.stages.writers import artifact, prompts, table_bytes

slow = pytest.mark.slow
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * MEGABYTE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.grow = lambda: cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


def requests(n):
    return [Request(f"r{i}", f"prompt {i}", seed=i, sampling=Sampling(max_tokens=8)) for i in range(n)]


def texts(generator, cache, asked, model=None):
    with generator.open(model, cache) as session:
        return {c.id: c for c in session.stream(asked)}


def asked_by_process(folder):
    return {log.name: log.read_text().split() for log in Path(folder).iterdir()}


@slow
def test_all_machines_write_and_a_lost_one_costs_what_it_had_not_delivered(cluster, tmp_path):
    (tmp_path / "pool").mkdir()
    (tmp_path / "local").mkdir()
    doomed, _ = cluster.grow(), cluster.grow()
    cluster.wait_for_nodes()
    asked = requests(1_500)
    engine = Leisurely(str(tmp_path / "pool"), seconds=0.01)  # long enough for every machine to start
    got = {}
    with Pool(engine, address=cluster.address).open(None, tmp_path) as session:
        for completion in session.stream(iter(asked)):
            assert completion.id not in got, "a text came twice"
            got[completion.id] = completion
            if len(got) == 300:
                cluster.remove_node(doomed, allow_graceful=False)
    assert got == texts(Leisurely(str(tmp_path / "local")), tmp_path, asked)
    written = asked_by_process(tmp_path / "pool")
    assert len(written) >= 3, "all machines took part"
    assert 0 <= sum(map(len, written.values())) - len(asked) <= 200


@slow
def test_a_machine_that_joins_is_put_to_work(cluster, tmp_path):
    engine = Leisurely(str(tmp_path), seconds=0.01)
    before = len(cluster.list_all_nodes())
    with Pool(engine, address=cluster.address).open(None, tmp_path / "cache") as session:
        stream = session.stream(iter(requests(2_000)))
        got = [next(stream)]
        cluster.grow()
        got += stream
    assert len({c.id for c in got}) == 2_000
    assert len(asked_by_process(tmp_path)) == before + 1


@slow
def test_what_kills_every_worker_is_one_clear_message(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("src.generation.pool_session.DEATHS_IN_A_ROW", 2)
    engine = Leisurely(str(tmp_path), fatal=7)
    got = []
    pool = Pool(engine, workers=1, address=cluster.address)
    lost = r"2 workers of the Ray cluster were lost without a text between"
    with pool.open(None, tmp_path / "cache") as session, pytest.raises(UserError, match=lost):
        got.extend(session.stream(requests(20)))


@slow
def test_an_engines_own_words_reach_the_user_and_a_reader_may_stop_early(cluster, tmp_path):
    with Pool(Leisurely("", broken=True), address=cluster.address).open(None, tmp_path) as session:
        with pytest.raises(UserError, match=r"On .*: The engine has no piston") as told:
            list(session.stream(requests(5)))
        assert "Fit one. All machines must see the same" in told.value.mend
    with Pool(Leisurely(str(tmp_path), seconds=0.01), address=cluster.address).open(None, tmp_path / "c") as session:
        stream = session.stream(requests(300))
        next(stream)
        stream.close()
        assert len(list(session.stream(requests(5)))) == 5


@slow
def test_a_stage_writes_the_same_bytes_locally_and_on_the_cluster(cluster, tmp_path, monkeypatch):
    from src.core.fingerprint import describe
    from src.stages.generate import Generate

    monkeypatch.setattr("src.generation.pool_session.AT_ONCE", 8)
    source = artifact(tmp_path / "prompts", "prompts", Prompt, prompts(200))
    (tmp_path / "log").mkdir()
    spec = {
        "kind": "generate",
        "stage": describe(Generate(Leisurely(str(tmp_path / "log")), {"cot": {}})),
        "inputs": {"prompts": str(source.path)},
        "cache": str(tmp_path / "cache"),
    }
    tables = {}
    computes = {
        "local": Local(isolate=False),
        "ray": RayCluster(isolate=False, address=cluster.address),
        "ray, from a fork": RayCluster(address=cluster.address),  # what the command does
    }
    for name, compute in computes.items():
        folder = tmp_path / name
        for made in ("out", "work"):
            (folder / made).mkdir(parents=True)
        measured = compute.run({**spec, "folder": str(folder)}, folder, heavy=True)
        assert measured["counts"]["kept"] == 200
        tables[name] = table_bytes(folder / "out" / "generations")
    assert tables["local"] == tables["ray"] == tables["ray, from a fork"]
    assert len(asked_by_process(tmp_path / "log")) > 1
    rows = list(read_table(tmp_path / "ray" / "out" / "generations", Generation))
    assert {row.generator for row in rows} == {"leisurely"}


@slow
@pytest.mark.vllm
def test_a_real_engine_writes_the_same_on_the_cluster(cluster, tiny_llama, tmp_path):
    engine = VLLMGenerator(dtype="float32", kv_cache_gb=0.1, max_num_seqs=16)
    asked = requests(60)
    pool = Pool(engine, workers=1, address=cluster.address)
    assert texts(pool, tmp_path, asked, tiny_llama) == texts(engine, tmp_path, asked, tiny_llama)


@slow
def test_an_address_where_no_cluster_is_is_one_clear_message(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(UserError, match=r"No Ray cluster answers at 127\.0\.0\.1:9"):
        Pool(Leisurely(""), address="127.0.0.1:9").open(None, tmp_path)


@pytest.mark.parametrize("options", [{"workers": 0}, {"gpus": -1}, {"cpus": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Pool(Leisurely(""), **options)


@slow
def test_what_a_lost_worker_had_not_delivered_waits_again():
    pytest.importorskip("ray")
    from src.generation.pool_session import Source

    source = Source()
    source.add(requests(10))
    assert [r.id for r in source.take("a", 4)] == ["r0", "r1", "r2", "r3"]
    assert len(source.take("b", 100)) == 6
    assert source.take("c", 1) == []
    source.done("a", ["r1"])
    assert source.lost("a") == (3, [])
    assert source.count() == 3
    assert {r.id for r in source.take("b", 10)} == {"r0", "r2", "r3"}
    assert source.lost("nobody") == (0, [])


@slow
def test_what_was_lost_twice_is_tried_alone_after_all_others_and_fails_with_the_third_worker():
    pytest.importorskip("ray")
    from src.generation.pool_session import Source

    source = Source()
    source.add(requests(3))
    source.take("a", 2)
    assert source.lost("a") == (2, [])
    assert len(source.take("b", 2)) == 2
    assert source.lost("b") == (2, [])
    assert source.count() == 3
    assert [r.id for r in source.take("c", 10)] == ["r2"]
    assert source.take("c", 10) == []  # nothing beside what is being written
    (first,) = source.take("d", 10)
    assert source.take("d", 10) == []
    assert source.lost("d") == (0, [first.id])
    source.done("c", ["r2"])
    (second,) = source.take("c", 10)
    assert {first.id, second.id} == {"r0", "r1"}
    source.done("c", [second.id])
    assert source.take("c", 10) == [] and source.count() == 0


@slow
def test_a_request_that_kills_its_worker_fails_and_all_others_are_written(cluster, tmp_path):
    engine = Leisurely(str(tmp_path), seconds=0.02, fatal=70)
    with Pool(engine, workers=1, address=cluster.address).open(None, tmp_path / "cache") as session:
        got = list(session.stream(requests(100)))
    assert sorted(c.id for c in got) == sorted(f"r{i}" for i in range(100))
    (failed,) = [c for c in got if c.finish_reason == "error"]
    assert failed.id == "r70" and not failed.transient
    assert failed.error.startswith("lost its workers: 3 of the Ray cluster, the last with this request alone")
