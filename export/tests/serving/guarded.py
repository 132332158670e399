"""A guard before an application, asked as a server would ask it."""

from __future__ import annotations

import json
from typing import Any

import anyio
from starlette.types import Message, Receive, Scope, Send

from contrawarp_edge.server.transport.guard import Guard


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says how long the body was."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    size = len(message["body"])
    await send({"type": "http.response.body", "body": json.dumps(size).encode()})


def call(
    guard: Guard, receive: Receive, headers: dict[str, str] | None = None
) -> tuple[int | None, Any]:
    """Sends one request as a server would; returns status and JSON."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    names = {"host": "localhost", **(headers or {})}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/embed",
        "headers": [(k.encode(), v.encode()) for k, v in names.items()],
    }
    anyio.run(guard, scope, receive, send)
    if not sent:
        return None, None
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body)


def chunks(*sizes: int, pause: float = 0) -> Receive:
    left = list(sizes)

    async def receive() -> Message:
        await anyio.sleep(pause)
        size = left.pop(0)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    return receive
