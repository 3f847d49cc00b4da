"""Every error has the same form: a status and `{"error": "one line"}`."""

from difflib import get_close_matches
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from corolla.server.schemas import Options
from corolla.text import one_line

LONGEST = 300  # characters of a reason; it may quote what was sent
QUOTED = 60  # characters of one quotation of what was sent
OPTIONS = tuple(Options.model_fields)
EXAMPLE = 'send {"images": ["BASE64"], "top": 3}'


class ApiError(Exception):
    """The refusal of a request: the status, the reason in one line, and optional headers."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers

    def response(self) -> JSONResponse:
        """The response to send."""
        return JSONResponse({"error": one_line(self.reason)[:LONGEST]}, self.status, self.headers)


async def tell_refused(request: Request, error: Exception) -> JSONResponse:
    """For `ApiError`, wherever it was raised."""
    assert isinstance(error, ApiError)
    return error.response()


async def tell_http(request: Request, error: Exception) -> JSONResponse:
    """For what the framework refuses: no such page, no such method."""
    assert isinstance(error, HTTPException)
    reason = error.detail or HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == 404:
        reason = "there is nothing at this address"
        if request.method in ("POST", "PUT"):
            reason += "; images are sent with POST to /v1/predict, and /docs says how"
    elif error.status_code == 405:
        allowed = headers.get("Allow", "")
        reason = f"this address does not take this method, {shortened(request.method)}" + (
            f"; it takes {allowed}" if allowed else ""
        )
    return ApiError(error.status_code, reason, headers).response()


def first_fault(error: ValidationError) -> str:
    """The first error that pydantic found: where, what was sent, and what is expected."""
    fault = error.errors(include_url=False, include_context=False)[0]
    where = shortened(".".join(str(part) for part in fault["loc"]))
    kind, said = fault["type"], str(fault["msg"])
    if kind == "extra_forbidden":
        return f"{where}: there is no such option{instead(where)}"
    if kind == "json_invalid":
        return said
    if kind == "missing":
        others = [str(name) for name in fault["input"]] if isinstance(fault["input"], dict) else []
        came = f", only {shortened(', '.join(map(repr, others)))}" if others else ""
        return f"{where}: it is missing{came}; {EXAMPLE}"
    said = f"{shortened(repr(fault['input']))} was sent; {said[:1].lower()}{said[1:]}"
    if where and not where.startswith("images"):
        return f"{where}: {said}"
    return f"{where or 'the body'}: {said}; {EXAMPLE}"


def instead(name: str) -> str:
    """The closest option, or else all options."""
    near = get_close_matches(name.lower(), OPTIONS, 1)
    return f"; {near[0]} is one" if near else f"; there are {', '.join(OPTIONS[:-1])} and {OPTIONS[-1]}"


def shortened(text: str) -> str:
    """What was sent, shortened for a quotation."""
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
