from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config import resolvers, schema
from src.config.mistakes import Mistakes
from src.config.overrides import CONF
from src.core.store import Store
from src.pipeline.graph import method
from src.pipeline.plan import plan_lines


def test_a_plan_counts_what_a_sweep_shares_once(tmp_path):
    schema.register()
    resolvers.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("config"), resolve=True)
    one = method(config, Mistakes())
    two = method({**config, "rounds": 1}, Mistakes())
    store = Store(tmp_path)
    assert list(plan_lines(one, store))[-1].startswith("14 nodes: 0 reused, 14 to do. Estimate: 600 calls")
    *lines, total = plan_lines(two, store, {node.key for node in one})
    assert [line.split()[0] for line in lines if " shared" in line] == [node.name for node in two[:6]]
    assert total.startswith("10 nodes: 0 reused, 6 shared with the jobs above, 4 to do. Estimate: ")
    assert "calls" not in total
