"""The outermost layer: every request gets a number, a line in the log and its place in the figures.

It gives every answer its security headers, and turns a fault of ours into an answer that quotes nothing.
"""

import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corolla.server.failures import ApiError
from corolla.server.guards import HEADERS
from corolla.server.logs import Log, fault_fields
from corolla.server.metrics import Metrics

GONE = 499  # as nginx counts those who did not wait for the answer
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class AccessLogMiddleware:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Log) -> None:
        self.app = app
        self.metrics = metrics
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and tell of it."""
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
            except Exception as error:  # the connection was given up meanwhile, as for what turned out to be no HTTP
                self.log("unsent", id=number, kind=type(error).__name__)
                raise ClientDisconnect from error

        try:
            await self.app(scope, receive, told)
        except ClientDisconnect:
            status = GONE
        except Exception as error:
            self.log("fault", id=number, **fault_fields(error))
            if status:
                raise  # half of an answer is out, which only the end of the connection can tell
            await ApiError(500, f"a fault of the server's, not yours; its log tells of {number}").response()(
                scope, receive, told
            )
        finally:
            self.tell(scope, number, status, time.perf_counter() - begun, state.get("images", 0))

    def tell(self, scope: Scope, number: str, status: int, seconds: float, images: int) -> None:
        """Count it, and write its line: the route rather than the path, which is free text."""
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
