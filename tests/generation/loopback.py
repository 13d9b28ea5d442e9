"""An OpenAI-compatible server on loopback that misbehaves on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = str | tuple[int, dict[str, Any], dict[str, str]]


@dataclass(frozen=True)
class Reply:
    """Word for word what the server sends."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Loopback(ThreadingHTTPServer):
    """Takes a client's calls however many come at once: of a short queue the kernel drops what is too much, and the
    client waits for a second, or for minutes, before it tries again."""

    request_queue_size = 1_024
    daemon_threads = True

    def handle_error(self, request, client_address):  # clients that hang up are part of the game
        pass


class Server(Loopback):
    """`fault(n, body)`: what goes wrong with the nth request, None for nothing. `answered`: what would be charged."""

    def __init__(self, fault: Callable[[int, dict[str, Any]], Fault | Reply | None]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault, self.lock = fault, threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.answered: Counter[str] = Counter()
        self.tokens = self.running = self.most_running = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def text_for(body: dict[str, Any]) -> str:
    return "text " + hashlib.sha256(json.dumps([body["messages"], body.get("seed")]).encode()).hexdigest()[:12]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.times.append(time.monotonic())
            server.paths.append(self.path)
            server.headers.append(self.headers)
            server.running += 1
            server.most_running = max(server.most_running, server.running)
        try:
            self.reply(body, server.fault(number, body))
        finally:
            with server.lock:
                server.running -= 1

    def reply(self, body, fault):
        match fault:
            case None:
                time.sleep(0.005)
                self.answer(body)
            case "length" | "content_filter" | "abort":
                self.answer(body, finish_reason=fault)
            case "hang up":
                self.close_connection = True
            case "torn":
                self.send(200, b'{"id": "x", "choices": [{"mess', length=500)
                self.close_connection = True
            case "malformed":
                self.send(200, b'{"id": "x", "choices": [{"mess')
            case "empty":
                self.send(200, b'{"id": "x", "choices": []}')
            case "slow":
                time.sleep(1.0)
                self.answer(body)
            case Reply(status, said, headers):
                self.send(status, said if isinstance(said, bytes) else json.dumps(said).encode(), headers)
            case (status, error, headers):
                self.send(status, json.dumps({"error": error}).encode(), headers)

    def answer(self, body, finish_reason="stop"):
        with self.server.lock:
            self.server.answered[json.dumps([body["messages"], body.get("seed")])] += 1
            self.server.tokens += 10
        reply = {
            "id": "always-the-same",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish_reason,
                    "message": {"role": "assistant", "content": text_for(body)},
                }
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }
        self.send(200, json.dumps(reply).encode())

    def send(self, status, data, headers=None, length=None):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@contextmanager
def serving(fault: Callable[[int, dict[str, Any]], Fault | Reply | None] = lambda n, body: None):
    server = Server(fault)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
