from typing import Any

import pytest

from src.modeling.trainer import Trainer


@pytest.mark.parametrize(
    "wrong", [{"strategy": "ddp"}, {"devices": 1}, {"device": "cpu"}], ids=["ddp", "one device", "no cards"]
)
def test_only_what_is_spread_over_cards_can_wait_beside_them(wrong: dict[str, Any]) -> None:
    spread: dict[str, Any] = {"strategy": "fsdp", "devices": 2, "offload": True}
    assert Trainer(**spread).offload
    with pytest.raises(ValueError, match="offload moves the shards of a spread model off its cards"):
        Trainer(**spread | wrong)
