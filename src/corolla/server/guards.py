"""Checks every request before the routes: its token, its host name and its size.

Pure ASGI, since a body must be counted while it arrives: a `Content-Length` may be wrong or missing.
"""

import asyncio
import hmac
import time
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corolla.server.failures import ApiError
from corolla.server.limits import MEGABYTE, Limits
from corolla.server.metrics import Metrics

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
NEED_TOKEN = ("/v1", "/metrics", "/report")  # the rest is the page without data, and the health checks
CONTENT_SECURITY = (
    # The page may compile WebAssembly and start its own workers; nothing comes from another host.
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Body:
    """The body of one request as it arrives: counted, limited, and read to its end even if it is refused."""

    def __init__(self, receive: Receive, send: Send, limits: Limits, guard: "LimitsMiddleware") -> None:
        self.pull = receive
        self.push = send
        self.limits = limits
        self.guard = guard
        self.until = time.monotonic() + limits.upload
        self.size = 0
        self.ended = False

    async def receive(self) -> Message:
        """The next part; `ApiError` if the body is too large or too slow."""
        if self.ended:
            return await self.pull()
        try:
            message = await asyncio.wait_for(self.pull(), max(self.until - time.monotonic(), 0.0))
        except asyncio.TimeoutError:
            raise ApiError(408, f"the request did not arrive within {self.limits.upload:g} s") from None
        part = len(message.get("body", b""))
        self.size += part
        self.guard.hold(part)
        self.ended = not message.get("more_body", False)
        if self.size > self.limits.body:
            raise too_large(self.limits)
        if self.guard.held > self.limits.held:
            raise ApiError(429, "the server is busy with other requests; retry in 1 s", {"Retry-After": "1"})
        return message

    async def send(self, message: Message) -> None:
        """Send a response; the rest of the request is read before its end, or the client might never receive it."""
        if message["type"] == "http.response.start" and not self.ended:
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        if message["type"] == "http.response.body" and not message.get("more_body", False) and not self.ended:
            await self.push({**message, "more_body": True})
            await self.drain()
            message = {"type": "http.response.body", "body": b""}
        await self.push(message)

    async def drain(self) -> None:
        """Read and drop the rest, for a few seconds at most."""
        until = time.monotonic() + self.limits.drain
        while not self.ended and (left := until - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self.pull(), left)
            except asyncio.TimeoutError:
                return
            self.ended = not message.get("more_body", False)


class LimitsMiddleware:
    """ASGI middleware that refuses requests over the limits or without permission."""

    def __init__(
        self, app: ASGIApp, limits: Limits, metrics: Metrics, token: str | None, hosts: Sequence[str] | None
    ) -> None:
        self.app = app
        self.limits = limits
        self.metrics = metrics
        self.token = token
        self.hosts = None if hosts is None else {host.lower() for host in hosts}  # None: any name
        self.held = 0  # bytes of the requests that are being read or processed

    def hold(self, size: int) -> None:
        """Add bytes, or subtract them if `size` is negative."""
        self.held += size
        self.metrics.bytes.set(self.held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on with a limited body."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers, body = Headers(scope=scope), Body(receive, send, self.limits, self)
        try:
            self.check(scope["path"], headers)
        except ApiError as refused:
            return await refused.response()(scope, body.receive, body.send)
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            self.hold(-body.size)

    def check(self, path: str, headers: Headers) -> None:
        """`ApiError` for what the headers of a request show."""
        # Otherwise a foreign page whose host name points here (DNS rebinding) could send requests as if it were ours.
        if self.hosts is not None and host_name(headers.get("host", "")) not in self.hosts:
            raise ApiError(421, "this server does not accept that host name; see corolla serve --allow-host")
        guarded = any(path == start or path.startswith(f"{start}/") for start in NEED_TOKEN)
        if self.token is not None and guarded and not has_bearer_token(headers.get("authorization", ""), self.token):
            raise ApiError(401, "a token is needed: send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > self.limits.body:
            raise too_large(self.limits)


def too_large(limits: Limits) -> ApiError:
    """The refusal of a body that is too large."""
    return ApiError(413, f"a request may have {limits.body / MEGABYTE:g} MB at most; send fewer or smaller images")


def host_name(host: str) -> str:
    """The name in a `Host` header, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isascii() and port.isdigit() else host).lower()


def has_bearer_token(authorization: str, token: str) -> bool:
    """Whether the header has the token, compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    # Headers are latin-1 to the framework, whatever bytes they were.
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode("latin-1"), token.encode("utf-8"))


def names_for(address: str, allowed: Sequence[str]) -> list[str] | None:
    """The host names to accept when listening on `address`: loopback's own and the allowed ones, or any (None)."""
    loopback = ip_address(address.partition("%")[0]).is_loopback
    if not loopback and not allowed:
        return None
    return [*LOOPBACK, f"[{address}]" if ":" in address else address, *allowed]
