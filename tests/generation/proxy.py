"""A proxy before a real OpenAI-compatible server, which spoils a share of the calls and counts what it delivers."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.generation.loopback import Loopback

NOT_FORWARDED = ("too many", "broken", "hang up", "no answer")
SPOILED_ON_THE_WAY_BACK = ("hang up late", "torn", "truncated", "endless stream")
HARMLESS = ("slow stream", "same id")
FAULTS = (*NOT_FORWARDED, *SPOILED_ON_THE_WAY_BACK, *HARMLESS)

Body = dict[str, Any]


class Proxy(Loopback):
    """share: of the calls that are spoiled. patience: seconds after which the clients give up.

    dead: what never gets an answer. asks_again: whether a question has an answer already that its asker keeps.
    dress: what becomes of the model's words, given the question.
    """

    def __init__(self, upstream: int, share: float, patience: float):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.share, self.patience = upstream, share, patience
        self.dead: Callable[[Body], bool] = lambda body: False
        self.asks_again: Callable[[Body], bool] = lambda body: False
        self.dress: Callable[[Body, str], str] = lambda body, words: words
        self.lock, self.random = threading.Lock(), random.Random(0)
        self.reset()

    def reset(self) -> None:
        self.calls = self.forwarded = self.asked_again = 0
        self.faults: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_POST(self):
        proxy = self.server
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(sent)
        with proxy.lock:
            proxy.calls += 1
            proxy.asked_again += proxy.asks_again(body)
            fault = proxy.random.choice(FAULTS) if proxy.random.random() < proxy.share else ""
            pause = proxy.random.uniform(0.01, 0.1)
            fault = "broken" if proxy.dead(body) else fault
            proxy.faults[fault] += 1
        match fault:
            case "too many":
                return self.send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": f"{pause:.3f}"})
            case "broken":
                return self.send(500, b"<html>oops</html>")
            case "hang up":
                return self.hang_up()
            case "no answer":
                time.sleep(proxy.patience + 0.5)
                return self.hang_up()
        status, reply = self.forward(sent)
        if status != 200:
            return self.send(status, reply)
        reply = self.dressed(body, reply, "always-the-same" if fault == "same id" else None)
        match fault:
            case "hang up late":
                return self.hang_up()
            case "torn":
                self.send(200, reply[: len(reply) // 2], length=len(reply))
                return self.hang_up()
            case "truncated":
                return self.send(200, reply[: len(reply) // 2])
            case "endless stream":
                self.send(200, reply, pause=(proxy.patience + 0.5) / 10, keep_back=1)
                return self.hang_up()
        self.send(200, reply, pause=0.03 if fault == "slow stream" else 0)
        with proxy.lock:
            proxy.delivered[question(body)] += 1

    def forward(self, sent: bytes) -> tuple[int, bytes]:
        with self.server.lock:
            self.server.forwarded += 1
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        try:
            upstream.request("POST", self.path, sent, {"Content-Type": "application/json"})
            reply = upstream.getresponse()
            return reply.status, reply.read()
        finally:
            upstream.close()

    def dressed(self, body: Body, reply: bytes, id: str | None) -> bytes:
        said = json.loads(reply)
        message = said["choices"][0]["message"]
        message["content"] = self.server.dress(body, message["content"] or "")
        return json.dumps({**said, "id": id or said["id"]}).encode()

    def hang_up(self) -> None:
        self.close_connection = True

    def send(self, status, data, headers=None, length=None, pause=0.0, keep_back=0) -> None:
        """In ten pieces with a pause after each, when there is one; all but the last `keep_back` bytes."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        step = max(1, len(data) // 10) if pause else len(data)
        for start in range(0, len(data) - keep_back, step):
            self.wfile.write(data[start : min(start + step, len(data) - keep_back)])
            self.wfile.flush()
            time.sleep(pause)

    def log_message(self, *args):
        pass


def question(body: Body) -> str:
    return json.dumps([body["messages"], body["seed"]])


@contextmanager
def proxied(upstream: int, share: float, patience: float):
    proxy = Proxy(upstream, share, patience)
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
