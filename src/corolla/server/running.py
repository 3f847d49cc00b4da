"""Starts a server on an address, and stops it after all accepted requests are completed."""

import asyncio
import logging
import signal
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from corolla.errors import CorollaError
from corolla.server.access_log import Log, UvicornHandler, log_to_stdout
from corolla.server.limits import Limits

BACKLOG = 2048  # connections that wait to be accepted
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn's server, which on a signal completes all accepted requests and returns normally."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGINT and SIGTERM, at once on a second SIGINT; uvicorn's own would raise them again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A socket on this address; port 0 means any free one. `CorollaError` if that is not possible."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError):
        raise CorollaError(f"--host {host} is no address of this machine; 127.0.0.1 is this machine only") from None
    except OverflowError:
        raise CorollaError(f"--port {port} is none; take one from 1 to 65535") from None
    listening = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # on Windows it would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        hint = "choose another with --port" if error.errno not in (99, 49) else "127.0.0.1 is this machine only"
        reason = (error.strerror or str(error)).lower()
        raise CorollaError(f"cannot listen on {host}, port {port}: {reason}; {hint}") from None
    return listening


def address_of(listening: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def make_server(app: FastAPI, limits: Limits, log: Log = log_to_stdout) -> Server:
    """A server for `app` that is not running yet."""
    logging.getLogger("uvicorn").handlers = [UvicornHandler(log)]
    logging.getLogger("uvicorn").propagate = False
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",  # pure Python: bytes from strangers are not parsed in C
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.upload + limits.answer) + 1,
    )
    return Server(config)


def serve_forever(app: FastAPI, listening: socket.socket, limits: Limits, log: Log = log_to_stdout) -> None:
    """Serve until a signal, or Ctrl-C; returns when all accepted requests are completed."""
    server = make_server(app, limits, log)
    log("started", address=address_of(listening))
    asyncio.run(server.serve(sockets=[listening]))
    log("stopped")
