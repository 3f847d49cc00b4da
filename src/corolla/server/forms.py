"""Parses the parts of a form as common tools send them, with names in every encoding.

They stay in memory, since the body is limited, so that a server with a read-only file system works, too.
"""

import base64
import binascii
import logging
import quopri
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from starlette.requests import Request

from corolla.server.encoded import described, quoted
from corolla.server.failures import ApiError

# Without a handler, Python prints a library's log to the terminal, and this one quotes requests.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

EXAMPLE = "with curl: -F files=@photo.jpg"


@dataclass(frozen=True)
class Part:
    """One part of a form."""

    field: str
    file: str | None  # its file name, "" if it is empty, None if there is none
    kind: str  # its content type in lower case, "" if there is none
    content: bytes


async def read_parts(request: Request, most: int) -> list[Part]:
    """The parts of a `multipart/form-data` request, at most `most`; `ApiError` if it is invalid or has more."""
    boundary = parameters("Content-Type", request.headers["content-type"]).get("boundary", "")
    if not boundary:
        raise ApiError(400, "Content-Type says multipart/form-data without a boundary; let the client set this header")
    reading = Reading(most)
    beginning = b""
    try:
        parser = MultipartParser(boundary.encode("latin-1"), reading.callbacks())
        async for chunk in request.stream():
            beginning += chunk[: 2000 - len(beginning)]
            parser.write(chunk)
    except (FormParserError, UnicodeEncodeError) as error:
        raise ApiError(400, f"the form cannot be read after {reading.place}: {str(error).rstrip('.')}") from None
    if reading.open:
        raise ApiError(400, f"the form ends within {reading.place}, before its last line, --{shortened(boundary)}--")
    if not reading.parts and beginning.strip() and f"--{boundary}--".encode("latin-1") not in beginning:
        raise ApiError(400, f"no line --{shortened(boundary)} begins a part; the body is {described(beginning)}")
    return reading.parts


@dataclass
class Reading:
    """The callbacks of the parser."""

    most: int
    parts: list[Part] = field(default_factory=list)
    open: bool = False  # within a part
    headers: list[tuple[str, str]] = field(default_factory=list)
    name: bytearray = field(default_factory=bytearray)  # of the header that arrives
    value: bytearray = field(default_factory=bytearray)
    content: bytearray = field(default_factory=bytearray)

    def callbacks(self) -> Any:
        """The callbacks by the parser's names."""
        return {
            "on_part_begin": self.begin,
            "on_header_field": lambda data, start, end: self.name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self.value.extend(data[start:end]),
            "on_header_end": self.end_header,
            "on_part_data": lambda data, start, end: self.content.extend(memoryview(data)[start:end]),
            "on_part_end": self.end,
        }

    @property
    def place(self) -> str:
        """The current place in the form, for an error message."""
        if self.open:
            return f"part {len(self.parts) + 1}"
        return f"part {len(self.parts)}, {quoted(self.parts[-1].field)}" if self.parts else "its beginning"

    def begin(self) -> None:
        """A part begins."""
        if len(self.parts) == self.most:
            raise ApiError(413, f"the form has more than {self.most} parts, images and options together; send fewer")
        self.open, self.headers, self.content = True, [], bytearray()

    def end_header(self) -> None:
        """A header of the part is complete."""
        self.headers.append((text_of(bytes(self.name)).strip().lower(), text_of(bytes(self.value)).strip()))
        self.name.clear()
        self.value.clear()

    def end(self) -> None:
        """The part is complete."""
        headers = dict(self.headers)
        given = parameters("Content-Disposition", headers.get("content-disposition", ""))
        if "name" not in given and "filename" not in given:
            said = "has no name" if "content-disposition" in headers else "has no Content-Disposition"
            raise ApiError(422, f"{self.place} {said}; {EXAMPLE}")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        content = transferred(bytes(self.content), headers.get("content-transfer-encoding", ""), self.place)
        self.parts.append(Part(given.get("name", ""), given.get("filename"), kind, content))
        self.open, self.content = False, bytearray()


def transferred(content: bytes, coding: str, place: str) -> bytes:
    """The bytes of a part with a Content-Transfer-Encoding."""
    coding = coding.lower()
    if coding in ("", "binary", "8bit", "7bit"):
        return content
    if coding == "quoted-printable":
        return quopri.decodestring(content)
    if coding == "base64":
        try:
            return base64.b64decode(content)
        except binascii.Error as error:
            raise ApiError(422, f"{place} says Content-Transfer-Encoding: base64 and is not: {error}") from None
    raise ApiError(
        422, f"{place} says Content-Transfer-Encoding: {coding}, which is not supported; send its plain bytes"
    )


def parameters(header: str, value: str) -> dict[str, str]:
    """The parameters of such a header, unquoted and unescaped; `name*=` of RFC 5987 overrides `name=`."""
    message = Message()
    message[header] = " ".join(value.splitlines())
    found: dict[str, str] = {}
    extended: set[str] = set()
    given: list[tuple[str, Any]] = message.get_params([], header)[1:]  # a value of `name*=` is a tuple
    for name, said in given:
        name = name.lower()
        if isinstance(said, tuple):
            found[name] = collapse_rfc2231_value(said, "replace", "utf-8")
            extended.add(name)
        elif name not in found and name not in extended:
            found[name] = unescaped(said)
    return found


def unescaped(said: str) -> str:
    """A name without the escapes of browsers (`%22` is a quotation mark) and of mail (`=?utf-8?…?=`)."""
    if said.startswith("=?") and said.endswith("?="):
        try:
            return str(make_header(decode_header(said)))
        except (ValueError, LookupError):  # of an unknown encoding: unchanged
            return said
    return said.replace("%22", '"')


def text_of(content: bytes) -> str:
    """The text of a header, in UTF-8 as browsers send it, or in the encoding of older tools."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def shortened(boundary: str) -> str:
    """A boundary, shortened for a quotation."""
    return quoted(boundary)[1:-1]
