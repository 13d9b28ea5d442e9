"""One engine on every machine of a Ray cluster, or on every GPU, behind the interface of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from src.core.errors import require
from src.generation.base import Generator

if TYPE_CHECKING:
    from src.generation.pool_session import PoolSession


@dataclass(frozen=True)
class Pool(Generator):
    """Options of the pool; the stage's own engine is one of them, and says everything about the texts.

    workers: engines at a time; None: as many as the cluster holds, also when it grows or shrinks meanwhile.
    gpus, cpus: what one engine takes. None: GPUs for the engine's tensor parallelism where there are any; else all the
        cores of a machine.
    address: of the cluster; None: the one that RAY_ADDRESS names or that runs here, or else this machine alone.
    """

    engine: Generator
    workers: int | None = None
    gpus: float | None = None
    cpus: float | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        for option in ("workers", "gpus", "cpus"):
            value = getattr(self, option)
            if value is not None and value <= 0:
                raise ValueError(f"{option} must be above 0, not {value}")

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def unpooled(self) -> Generator:
        return self.engine

    @property
    def devices(self) -> int | None:
        return self.engine.devices

    def open(self, model: str | None, cache: Path) -> PoolSession:
        """Raises UserError when Ray is not installed, or when no cluster answers at the address."""
        require("ray", "compute=ray")
        from src.generation.pool_session import PoolSession

        return PoolSession(self, model, cache)
