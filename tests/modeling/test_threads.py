import json

import pytest
import torch

from src.modeling.threads import use_threads
from src.modeling.trainer import Trainer

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
LARGE = {**SMALL, "hidden_size": 1024, "num_hidden_layers": 12}


@pytest.mark.parametrize(
    ("config", "threads", "used"), [(SMALL, None, 1), (LARGE, None, 3), (SMALL, 2, 2), (LARGE, 2, 2), (None, None, 3)]
)
def test_a_small_model_takes_one_thread_unless_told_otherwise(config, threads, used, tmp_path):
    if config:
        (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 100, **config}))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        use_threads(Trainer(threads=threads), tmp_path)
        assert torch.get_num_threads() == used
    finally:
        torch.set_num_threads(before)
