"""The log of a server: one JSON object a line, with nothing of what a request holds, names of files included."""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

Log = Callable[..., None]  # an event's name, and whatever belongs to it


def log_to_stdout(event: str, **fields: Any) -> None:
    """Write one line to standard output."""
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    with suppress(OSError):  # a full disk, or a reader that went away: the server goes on answering
        print(json.dumps({"time": time, "event": event} | fields), file=sys.stdout, flush=True)


def fault_fields(error: BaseException) -> dict[str, Any]:
    """What is told of a fault of ours: its kind and where it was raised; its text may quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"kind": type(error).__name__, "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


class UvicornHandler(logging.Handler):
    """Takes what uvicorn warns of into the same log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's text as it was before anything was filled in."""
        fault = fault_fields(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
        self.log("uvicorn", level=record.levelname.lower(), message=str(record.msg).splitlines()[0], **fault)
