"""The log of a server, one JSON object a line, and the outermost middleware, which gives every request an ID.

No line has any content of a request, including file names. The middleware logs and counts each request, adds security
headers to every response, and turns an internal error into a response without details.
"""

import json
import logging
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corolla.server.failures import ApiError
from corolla.server.guards import HEADERS
from corolla.server.metrics import Metrics

Log = Callable[..., None]  # an event's name and its fields
GONE = 499  # nginx's status for clients that closed the connection before the response
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


def log_to_stdout(event: str, **fields: Any) -> None:
    """Write one line to standard output."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    with suppress(OSError):  # a full disk, or a reader that has exited: the server continues
        print(json.dumps({"time": now, "event": event} | fields), file=sys.stdout, flush=True)


def fault_fields(error: BaseException) -> dict[str, Any]:
    """The log entry of an internal error: its type and traceback, without its text, which may quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"kind": type(error).__name__, "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


class UvicornHandler(logging.Handler):
    """Writes uvicorn's warnings to the same log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's format string without its arguments."""
        fault = fault_fields(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
        self.log("uvicorn", level=record.levelname.lower(), message=str(record.msg).splitlines()[0], **fault)


class AccessLogMiddleware:
    """ASGI middleware around all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Log) -> None:
        self.app = app
        self.metrics = metrics
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, log and count it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun, number, status = time.perf_counter(), uuid.uuid4().hex[:12], 0
        state = scope.setdefault("state", {})

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-ID"] = number
            try:
                await send(message)
            except Exception as error:  # the connection was closed meanwhile, for example because it is not HTTP
                self.log("unsent", id=number, kind=type(error).__name__)
                raise ClientDisconnect from error

        try:
            await self.app(scope, receive, told)
        except ClientDisconnect:
            status = GONE
        except Exception as error:
            self.log("fault", id=number, **fault_fields(error))
            if status:
                raise  # a part of the response is sent; only closing the connection can signal the error
            await ApiError(500, f"an internal error of the server; see ID {number} in its log").response()(
                scope, receive, told
            )
        finally:
            self.tell(scope, number, status, time.perf_counter() - begun, state.get("images", 0))

    def tell(self, scope: Scope, number: str, status: int, seconds: float, images: int) -> None:
        """Count the request and log it, with the route instead of the path, which is free text."""
        route = getattr(scope.get("route"), "path", None)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.requests.labels(route or "none", method, str(status)).inc()
        self.metrics.seconds.labels(route or "none").observe(seconds)
        self.log(
            "request",
            id=number,
            method=method,
            path=route,
            status=status,
            ms=round(1000 * seconds, 1),
            images=images,
        )
