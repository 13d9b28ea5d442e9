"""Calls a second against a server on loopback: every call booked, and its answer on disk, before it counts.

The server is a process of its own, and answers at once; so the client's own work is what is measured.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from src.generation.base import Request, Sampling
from src.generation.openai import OpenAIGenerator
from tests.perf.measure import Aim, Comparison, Options, in_turns, seconds

CONCURRENCY = 256
CALLS_A_SECOND = 800
SECONDS_AN_ANSWER = 0.05
REPLY = json.dumps(
    {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "word " * 200}}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 200, "total_tokens": 700},
    }
).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(REPLY)


def run(options: Options) -> list[Comparison]:
    fresh = multiprocessing.get_context("spawn")
    ours, theirs = fresh.Pipe()
    server = fresh.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url, calls = f"http://127.0.0.1:{ours.recv()}/v1", options.size(8_000, 300)
    sides = {"ours": side(url, calls, options, CONCURRENCY), "one by one": side(url, calls // 40, options, 1)}
    try:
        speed = in_turns(options.rounds, sides, warm_up=False)
    finally:
        server.kill()
    note = (
        f"{calls:,} calls at concurrency {CONCURRENCY}, 1,000 characters each, answered after "
        f"{SECONDS_AN_ANSWER * 1000:g} ms; each booked before and kept after, on disk"
    )
    aim = Aim(CALLS_A_SECOND, of="ours")
    return [Comparison("calls", "calls/s", speed["ours"], speed["one by one"], "concurrency 1", aim, note)]


def side(url: str, calls: int, options: Options, concurrency: int) -> Callable[[], float]:
    """Asks new questions at every turn, into a new cache."""

    def calls_a_second() -> float:
        generator = OpenAIGenerator("teacher", url, api_key_env=None, concurrency=concurrency)
        asked = (Request(f"r{i}", f"prompt {i} " * 100, i, Sampling(max_tokens=500)) for i in range(calls))
        with (
            TemporaryDirectory(dir=options.scratch) as folder,
            generator.open(None, options.scratch / folder) as session,
        ):
            answered: list[str] = []
            took = seconds(lambda: answered.extend(c.finish_reason for c in session.stream(asked)))
        assert answered == ["stop"] * calls
        return calls / took

    return calls_a_second


def serve(pipe: Any) -> None:
    """The process: HTTP as far as the client needs it, in a few lines, so that it costs little."""

    async def main() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=2 * CONCURRENCY)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            await asyncio.sleep(SECONDS_AN_ANSWER)
            writer.write(HEAD + REPLY)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
