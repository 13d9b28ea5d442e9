"""A batch API on loopback: files and batches in memory, each batch ended when it is first looked after; and calls one
by one."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from tests.generation.loopback import Loopback, text_for

Fate = str | tuple[int, str]


class BatchServer(Loopback):
    """`fate(n, body)`: of a call in the nth batch: "answer", "empty", "expire", or an HTTP status with its message.

    `usage`: whether answers say how many tokens they cost. `pause`: seconds that a call by itself takes.
    `invalid`: errors with which every batch fails. `nameless`: kinds of things that it makes without telling their id.
    `looks`: how often a batch is looked after before it ends. `deaf`: the next batch is taken, and the line goes dead.
    `most`: calls in a batch; a larger one fails. `makes`: for each of the next batches that are asked for, whether it
    is made before the server says that it failed. `storage`: where it sends on to for files; `files_asked_for`: address
    and key of each call for one. `late`: how often a batch that has ended is looked after before its files are named.
    `forgotten`: numbers of batches and files that it does not know any more. `others`: batches of other processes that
    are made right after the next one; `lists`: pages of its batches that were asked for, each by what it comes after;
    `pages`: whether it knows of any but the first.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fate: Callable[[int, dict[str, Any]], Fate] = lambda n, body: "answer"
        self.looks, self.deaf, self.invalid = 0, False, None
        self.usage, self.pause, self.lock = True, 0.0, threading.Lock()
        self.files: dict[str, str] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.answered: Counter[str] = Counter()
        self.missing = False
        self.most: int | None = None
        self.makes: list[bool] = []
        self.storage: str | None = None
        self.files_asked_for: list[tuple[str, str | None]] = []
        self.late = 0.0
        self.forgotten: set[str] = set()
        self.others, self.lists, self.pages = 0, list[str | None](), True
        self.nameless: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def calls_in(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]

    def put(self, text: str) -> str:
        id = f"file-{len(self.files)}"
        self.files[id] = text
        return id

    def keep(self, batch: dict[str, Any]) -> None:
        self.batches[batch["id"]] = batch
        for _ in range(self.others):
            self.add_other(time.time())
        self.others = 0

    def add_other(self, created_at: float) -> None:
        id = f"batch-{len(self.batches)}"
        self.batches[id] = {
            "id": id,
            "status": "completed",
            "looks": 0,
            "created_at": int(created_at),
            "metadata": None,
        }

    def listed(self, limit: int, after: str | None) -> dict[str, Any]:
        """A page of the batches, newest first."""
        self.lists.append(after)
        all_of_them = [*self.batches.values()][::-1]
        ids = [batch["id"] for batch in all_of_them]
        start = ids.index(after) + 1 if after and self.pages else 0
        page = all_of_them[start : start + limit]
        return {"object": "list", "data": page, "has_more": start + limit < len(ids)}

    def end(self, number: int, batch: dict[str, Any]) -> None:
        outputs: dict[str, list[str]] = {"output_file_id": [], "error_file_id": []}
        for call in self.calls_in(batch):
            name, row = self.line(self.fate(number, call["body"]), call)
            outputs[name].append(json.dumps(row))
        expired = any("batch_expired" in line for line in outputs["error_file_id"])
        batch["status"] = "expired" if expired else "completed"
        batch |= {name: self.put("\n".join(lines)) for name, lines in outputs.items() if lines}

    def line(self, fate: Fate, call: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        row: dict[str, Any] = {"id": "x", "custom_id": call["custom_id"], "response": None, "error": None}
        if fate == "expire":
            return "error_file_id", row | {"error": {"code": "batch_expired", "message": "too late"}}
        if isinstance(fate, tuple):
            status, message = fate
            error = {"error": {"message": message, "code": None}}
            return "error_file_id", row | {"response": {"status_code": status, "body": error}}
        return "output_file_id", row | {"response": {"status_code": 200, "body": self.answer(call["body"], fate)}}

    def answer(self, body: dict[str, Any], fate: Fate = "answer") -> dict[str, Any]:
        with self.lock:
            self.answered[json.dumps([body["messages"], body["seed"]])] += 1
        message = {"role": "assistant", "content": text_for(body)}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}] if fate == "answer" else []
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10} if self.usage else None
        return {"id": "x", "object": "chat.completion", "choices": choices, "usage": usage}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BatchServer

    def do_POST(self):
        server, data = self.server, self.rfile.read(int(self.headers["Content-Length"])).decode()
        if server.missing:
            return self.reply({"error": {"message": "Not Found"}}, 404)
        if self.path == "/v1/files":
            text = re.search(r'filename="calls.jsonl".*?\r\n\r\n(.*?)\r\n--', data, re.DOTALL)[1]
            return self.reply({"id": server.put(text), "object": "file"})
        asked = json.loads(data)
        if self.path == "/v1/chat/completions":
            time.sleep(server.pause)
            return self.reply(server.answer(asked))
        batch = {"id": f"batch-{len(server.batches)}", "object": "batch", "looks": 0, "status": "in_progress", **asked}
        batch["created_at"] = int(time.time())
        fails = bool(server.makes)
        if not fails or server.makes.pop(0):
            server.keep(batch)
        if fails:
            return self.reply({"error": {"message": "the database is away"}}, 500)
        if server.deaf:
            server.deaf, self.close_connection = False, True
            return None
        return self.reply(batch)

    def do_GET(self):
        server, words = self.server, self.path.partition("?")[0].split("/")
        if len(words) > 3 and words[3] in server.forgotten:
            return self.reply({"error": {"message": f"No such object: {words[3]}"}}, 404)
        if words[2] == "files":
            server.files_asked_for.append((self.path, self.headers["Authorization"]))
            if server.storage is not None:
                return self.reply("", 302, Location=f"{server.storage}/files/{words[3]}?signature=a%2Fb")
            return self.reply(server.files[words[3]])
        if len(words) == 3:
            query = parse_qs(self.path.partition("?")[2])
            return self.reply(server.listed(int(query["limit"][0]), query.get("after", [None])[0]))
        batch = server.batches[words[3]]
        batch["looks"] += 1
        if server.invalid is not None:
            batch |= {"status": "failed", "errors": server.invalid}
        elif server.most is not None and len(server.calls_in(batch)) > server.most:
            error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached for teacher."}
            batch |= {"status": "failed", "errors": {"data": [error]}, "output_file_id": "", "error_file_id": ""}
        elif batch["status"] == "in_progress" and batch["looks"] > server.looks:
            server.end([*server.batches].index(batch["id"]), batch)
        if batch["status"] == "completed" and batch["looks"] <= server.looks + server.late:
            n = len(server.calls_in(batch))
            return self.reply({**batch, "output_file_id": None, "request_counts": {"total": n, "completed": n}})
        return self.reply(batch)

    def reply(self, value: Any, status: int = 200, **headers: str) -> None:
        if isinstance(value, dict) and value.get("object") in self.server.nameless and self.command == "POST":
            value = {"data": value}
        data = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        for name, said in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@contextmanager
def batching():
    server = BatchServer()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
