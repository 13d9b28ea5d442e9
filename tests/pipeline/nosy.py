"""A stage that writes down what its process can see."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from src.core.stage import Stage, StageContext


@dataclass(frozen=True)
class Nosy(Stage):
    """`api_key_env`: the secret that it says it needs."""

    kind: ClassVar[str] = "nosy"
    version: ClassVar[int] = 1
    heavy: ClassVar[bool] = True

    api_key_env: str | None = None
    place: str = ""

    def run(self, ctx: StageContext) -> None:
        given = b"\n".join(f"{name}={value}".encode() for name, value in os.environ.items())
        (ctx.out / "environment").write_bytes(given + b"\n" + Path("/proc/self/environ").read_bytes())
