from types import SimpleNamespace

from src.core.store import Store
from src.pipeline.plan import plan_lines, plan_of_jobs
from tests.pipeline.composed import composed, nodes_of, planned


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
    asking = ["key_points", "rating", "answers"]
    assert [line.split()[0] for line in lines if "a call or more for each row" in line] == asking
    assert lines[-2].endswith("GB a device, as many tokens as its rows have")
    assert total.endswith(f"Not counted, for it depends on how many rows come so far: {', '.join(asking)}, pretrain")


def test_a_plan_guesses_what_is_read_from_what_feeds_it(tmp_path):
    config = composed("generate.prompts=1000", "+generate.samples_per_prompt=2", "sft=procedural_few")
    nodes = nodes_of(config)
    tokens = {name: stage.estimate().get("tokens") for name, stage in planned(nodes, tmp_path).items()}
    calls, epochs = (
        (config[part]["calls"] for part in ("round_1", "round_2")),
        config["synthesizer"]["recipe"]["epochs"],
    )
    first, second = (130 * epochs * n for n in calls)
    assert (tokens["synthesizer_1"], tokens["synthesizer_2"]) == (first, first + second)
    read = 1000 * 2 + config["sft"]["n"]
    assert tokens["pretrain"] == 100 * read * config["pretrain"]["recipe"]["epochs"]
    all_prompts = nodes_of(composed("generate.prompts=null"))
    *lines, total = plan_lines(list(all_prompts.values()), Store(tmp_path))
    assert next(line for line in lines if line.startswith("generate")).endswith("as many texts as there are prompts")
    assert total.endswith("come so far: select, generate, pretrain")


def test_a_plan_of_which_nothing_can_be_counted_does_not_say_that_it_costs_nothing(tmp_path):
    nodes = [node for node in nodes_of(composed("method=kpdds")).values() if node.name == "key_points"]
    assert list(plan_lines(nodes, Store(tmp_path)))[-1].startswith("1 nodes: 0 reused, 1 to do. Estimate: unknown. Not")


PAID = "scale=overnight generator@teacher=openai teacher.model=gpt-4o-mini teacher.budget.max_dollars={}"


def plan(tmp_path, *overrides):
    config = composed(*overrides)
    nodes = list(nodes_of(config).values())
    job = SimpleNamespace(
        study="s",
        name="main",
        seed=0,
        store=Store(tmp_path),
        nodes=nodes,
        config=config,
        absent=lambda: ["no\n  -> yes"],
    )
    return nodes, list(plan_of_jobs([job]))


def test_a_plan_says_where_it_passes_its_budget(tmp_path):
    nodes, lines = plan(tmp_path, *PAID.format(0.01).split())
    cost = sum(node.stage.estimate().get("dollars", 0) for node in nodes)
    assert 0.01 < cost < 100
    assert lines[-1].startswith(f"Over the budget: {cost:.3g} dollars at most") and "may spend 0.01" in lines[-1]
    assert "teacher.budget.max_dollars=" in lines[-1]
    assert not any("budget" in line for line in plan(tmp_path, *PAID.format(100).split())[1])


def test_what_is_not_at_hand_stands_below_the_plan(tmp_path):
    lines = plan(tmp_path)[1]
    assert lines[-2:] == ["Not at hand:", "  no\n    -> yes"]


def test_a_plan_knows_the_hours_of_an_exam_that_lies_on_the_hub():
    nodes = nodes_of(composed("scale=paper"))
    for name in ("evaluate_base", "evaluate"):
        cost = nodes[name].stage.estimate()
        assert cost["tokens"] > 5_000 * 1_024 and 1 < cost["gpu_hours"] < 3, name
    assert 14 < nodes["generate"].stage.estimate()["gb_per_device"] < 16  # seven billion weights in 16 bits
