"""An engine that takes its time, and writes down what it was asked: texts depend on the seed alone."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from src.core.errors import UserError
from src.generation.base import Completion, Generator, Session


@dataclass(frozen=True)
class Leisurely(Generator):
    """`fatal`: the seed at which its process dies; `broken`: it cannot even start."""

    log: str
    seconds: float = 0.0
    fatal: int | None = None
    broken: bool = False

    @property
    def name(self):
        return "leisurely"

    def open(self, model, cache):
        if self.broken:
            raise UserError("The engine has no piston.", "Fit one.")
        return _Writing(self)


class _Writing(Session):
    def __init__(self, options):
        self.options = options

    def stream(self, requests):
        for request in requests:
            if request.seed == self.options.fatal:
                os._exit(1)
            time.sleep(self.options.seconds)
            with Path(self.options.log, str(os.getpid())).open("a") as log:
                log.write(f"{request.id}\n")
            yield Completion(request.id, f"text {request.seed}", "stop", 1, 2)
