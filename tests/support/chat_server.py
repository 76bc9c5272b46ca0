"""A small HTTP server that speaks the OpenAI chat format, and fails as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler", int, dict[str, Any]], None]


def say(text: str, *, finish_reason: str = "stop", tokens: int = 40) -> Answer:
    """A chat completion with this text."""

    def answer(handler: Handler, number: int, asked: dict[str, Any]) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
        usage = {"prompt_tokens": 300, "completion_tokens": tokens, "total_tokens": 300 + tokens}
        handler.send(200, json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode())

    return answer


def fail(code: int, body: str = "", **headers: str) -> Answer:
    """An error with this status."""
    return lambda handler, number, asked: handler.send(code, body.encode(), **headers)


def raw(content: bytes) -> Answer:
    """Status 200 with whatever bytes."""
    return lambda handler, number, asked: handler.send(200, content)


def hang_up(handler: Handler, number: int, asked: dict[str, Any]) -> None:
    """Promise a thousand bytes, send ten, and close the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.close_connection = True


@dataclass
class ChatServer:
    """What it was asked, and how it answers: by the list, in turn, and then by the last of it."""

    answers: list[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    chat: ChatServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = len(self.chat.asked)
        self.chat.asked.append({"path": self.path, **asked})
        self.chat.headers.append(dict(self.headers))
        self.chat.answers[min(number, len(self.chat.answers) - 1)](self, number, asked)

    do_GET = do_POST

    def send(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(*answers: Answer) -> Iterator[ChatServer]:
    """A server on a free port of this machine, until the block ends."""
    chat = ChatServer(list(answers))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"chat": chat}))
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
