import pytest
import torch

from src.core.threads import SMALL, use_threads


@pytest.mark.parametrize(
    ("weights", "asked", "used"),
    [([1_000, 1_000], None, 1), ([SMALL / 2, SMALL / 2], None, 3), ([], None, 3), ([1_000], 2, 2), ([SMALL], 2, 2)],
)
def test_a_small_model_takes_one_thread_unless_told_otherwise(weights, asked, used, tmp_path):
    for number, size in enumerate(weights):
        with (tmp_path / f"model-{number}.safetensors").open("wb") as file:
            file.truncate(int(size))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        use_threads(tmp_path, asked)
        assert torch.get_num_threads() == used
    finally:
        torch.set_num_threads(before)
