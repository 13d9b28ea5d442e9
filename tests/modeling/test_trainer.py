from typing import Any

import pytest

from src.modeling.trainer import Trainer


@pytest.mark.parametrize("wrong", [{"strategy": "ddp"}, {"devices": 1}], ids=["ddp", "one device"])
def test_only_what_is_spread_can_wait_on_the_host(wrong: dict[str, Any]) -> None:
    spread: dict[str, Any] = {"strategy": "fsdp", "devices": 2, "offload": True}
    assert Trainer(**spread).offload
    with pytest.raises(ValueError, match="offload moves the shards of a spread model"):
        Trainer(**spread | wrong)
