from src.core.store import Store
from src.pipeline.plan import plan_lines
from tests.pipeline.composed import composed, nodes_of


def test_a_plan_counts_what_a_sweep_shares_once(tmp_path):
    config = composed()
    one, two = (list(nodes_of({**config, "rounds": rounds}).values()) for rounds in (2, 1))
    store = Store(tmp_path)
    assert list(plan_lines(one, store))[-1].startswith("13 nodes: 0 reused, 13 to do. Estimate: 600 calls")
    *lines, total = plan_lines(two, store, {node.key for node in one})
    assert [line.split()[0] for line in lines if " shared" in line] == [node.name for node in two[:5]]
    assert total.startswith("9 nodes: 0 reused, 5 shared with the jobs above, 4 to do. Estimate: ")
    assert "calls" not in total


def test_what_no_total_can_hold_is_told(tmp_path):
    nodes = list(nodes_of(composed("method=kpdds")).values())
    *lines, total = plan_lines(nodes, Store(tmp_path))
    assert [line.split()[0] for line in lines if "a call or more for each row" in line] == [
        "key_points",
        "rating",
        "answers",
    ]
    assert total.endswith("Not counted, for it depends on how many rows come so far: key_points, rating, answers")
