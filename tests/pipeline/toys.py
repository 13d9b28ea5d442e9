"""Small stages for testing the pipeline: they count, sleep, fail or fill the disk on request."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from src.core.errors import UserError
from src.core.journal import Journal
from src.core.records import Passage, content_id, write_table
from src.core.stage import Stage, StageContext


@dataclass(frozen=True)
class Count(Stage):
    """Writes `rows` passages, one journal line each, pausing between them; leaves a mark each time it starts."""

    kind: ClassVar[str] = "count"
    version: ClassVar[int] = 1
    heavy: ClassVar[bool] = True

    rows: int
    pause: float = 0.0
    marks: str = ""

    def run(self, ctx: StageContext) -> None:
        if self.marks:
            Path(self.marks, f"{time.time_ns()}").touch()
        with Journal(ctx.work / "rows") as journal:
            done = journal.ids()
            for i in range(self.rows):
                if (id := content_id(i)) not in done:
                    journal.append(id, {"text": f"row {i}"})
                    time.sleep(self.pause)
            rows = sorted((id, row["text"]) for id, row in journal.rows())
        ctx.tally.enter(self.rows)
        ctx.tally.keep(write_table(ctx.out / "passages", Passage, (Passage(id, "toy", text) for id, text in rows)))
        ctx.log({"loss": 1.0}, step=1)
        ctx.summary["rows"] = self.rows


@dataclass(frozen=True)
class Fail(Stage):
    """Ends in the given way."""

    kind: ClassVar[str] = "fail"
    version: ClassVar[int] = 1
    heavy: ClassVar[bool] = True

    how: str

    def run(self, ctx: StageContext) -> None:
        match self.how:
            case "user":
                raise UserError("The soup is cold.", "Warm it.")
            case "bug":
                raise RuntimeError("a bug")
            case "kill":
                os.kill(os.getpid(), 9)
            case "lose":
                ctx.tally.enter(2)
            case "disk":
                (ctx.out / "big").write_bytes(os.urandom(64 * 2**20))
