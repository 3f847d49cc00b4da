"""Every answer that is no answer has one shape: a status and `{"error": "one line"}`."""

from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from corolla.text import one_line

LONGEST = 300  # characters of a reason; it may quote what was sent


class Refused(Exception):  # noqa: N818 - nothing of ours went wrong
    """A request that is not answered as asked: the status, the reason in one line, and headers if there are any."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers

    def response(self) -> JSONResponse:
        """The answer to send."""
        return JSONResponse({"error": one_line(self.reason)[:LONGEST]}, self.status, self.headers)


async def tell_refused(request: Request, error: Exception) -> JSONResponse:
    """For `Refused`, wherever it was raised."""
    assert isinstance(error, Refused)
    return error.response()


async def tell_http(request: Request, error: Exception) -> JSONResponse:
    """For what the framework refuses: no such page, no such method."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    known = {404: "there is nothing at this address", 405: "this address does not take this method"}
    reason = known.get(error.status_code, error.detail or phrase)
    return Refused(error.status_code, reason, dict(error.headers or {})).response()


def first_fault(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, and where."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else str(fault["msg"])
