"""The log of a server: one JSON object a line, without any content of a request, including file names."""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

Log = Callable[..., None]  # an event's name and its fields


def log_to_stdout(event: str, **fields: Any) -> None:
    """Write one line to standard output."""
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    with suppress(OSError):  # a full disk, or a reader that has exited: the server continues
        print(json.dumps({"time": time, "event": event} | fields), file=sys.stdout, flush=True)


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
