"""From the body of a request to named images and options, and from an image's bytes to what the model reads.

Tools send images in many ways. Every unambiguous one is accepted; a refusal says what was received and what to send.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.requests import Request

from corolla.data.decoding import ImageError, begins_as_image, read_image
from corolla.preprocessing import Preprocessing
from corolla.server.encoded import decoded, described, image_in, is_text, quoted
from corolla.server.failures import ApiError, first_fault
from corolla.server.forms import EXAMPLE, Part, parameters, read_parts
from corolla.server.limits import Limits
from corolla.server.schemas import Options, PredictRequest
from corolla.text import printable

LONGEST_NAME = 200  # characters that are echoed
FILES = "files"  # the form field of the images; other names are accepted if the part is an image
OPTIONS = frozenset(Options.model_fields)
FORM = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"  # curl sends it for --data-binary, too
# A body of one of these types, or of image/*, is an image, or text that encodes one.
UNSAID = {"", URLENCODED, "application/octet-stream", "binary/octet-stream", "application/binary", "text/plain"}
FIRST_FIELD = re.compile(rb"[A-Za-z_][\w.%\[\]-]*=[^=\s]")  # of an urlencoded form; in base64 the = are last
WAYS = "multipart/form-data with files, application/json with images in base64, or an image as the whole body"
# The first bytes of a JPEG and a PNG without those that `curl -d` drops.
CUT_BY_CURL = re.compile(rb"\xff\xd8\xff[\xe0\xe1\xdb\xee]|\x89PNG\x1aIHDR")
LEFT_OUT = re.compile(rb"[\0\r\n]")


@dataclass(frozen=True)
class Named:
    """The bytes of one image, or why there are none, and its name in the response."""

    name: str
    content: bytes | ImageError


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """One image as the model reads it."""

    pixels: NDArray[np.uint8]  # (H, W, 3)
    box: tuple[float, float, float, float]  # the crop: left, top, right, bottom as fractions of the upright image


async def read_request(request: Request, limits: Limits) -> tuple[list[Named], Options]:
    """The images and the options of a request; `ApiError` if the request is invalid."""
    said = request.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise ApiError(415, f"Content-Encoding {quoted(coding)} is not supported; send the body without it")
    asked = request.query_params.multi_items()
    if kind == FORM:
        parts = await read_parts(request, limits.images + len(OPTIONS))
        named, options = read_form(parts, asked)
    elif kind in ("application/json", "text/json") or kind.endswith("+json"):
        named, options = read_json(await request.body(), asked)
    elif kind in UNSAID or kind.startswith("image/"):
        named, options = read_whole(await request.body(), kind, request.headers.get("content-disposition", ""), asked)
    else:
        raise ApiError(415, f"Content-Type {quoted(said)} is not supported; send {WAYS}")
    if len(named) > limits.images:
        raise ApiError(413, f"{len(named)} images in one request are too many; send {limits.images} at most")
    return named, options


def read_form(parts: Iterable[Part], asked: Iterable[tuple[str, str]]) -> tuple[list[Named], Options]:
    """The parts of a form: images under any name, and the options."""
    named: list[Named] = []
    given = list(asked)
    unchosen = ""
    for part in parts:
        field = shown(part.field)
        if part.field in OPTIONS and not part.file:
            given.append((part.field, part.content.decode("utf-8", "replace")))
        elif part.field in OPTIONS:
            raise ApiError(
                422, f"{field}: the file {quoted(part.file or '')} where an option is expected; {ways_for()}"
            )
        elif part.file == "" and not part.content:
            unchosen = field  # a browser sends this for a field without a chosen file
        elif part.file or part.kind.startswith("image/"):
            name = shown(part.file or f"image {len(named) + 1}")
            named.append(Named(name, image_in(part.content) or part.content))
        elif (content := image_in(part.content)) is not None or part.file is not None:
            named.append(Named(f"image {len(named) + 1}", content or part.content))
        else:
            raise ApiError(422, no_image(part, field))
    options = options_of(given)
    if not named:
        nothing = f"{unchosen}: no file was chosen" if unchosen else f"{FILES}: no image was sent"
        raise ApiError(422, f"{nothing}; each goes into a field {FILES!r}, {EXAMPLE}")
    return named, options


def no_image(part: Part, field: str) -> str:
    """Why a part without a file name is neither an image nor an option."""
    kind = f" of type {shown(part.kind)}" if part.kind else ""
    came = f"{field}: a part without a file name{kind} that holds {described(part.content)}"
    if part.kind.endswith("json"):
        return f"{came}; send options as fields of the form: {ways_for()}"
    known = field.rstrip("[]s0123456789").lower() in ("file", "image", "img", "picture", "photo", "pic", "upload")
    if not known and len(part.content) < 100:
        return f"{field}: there is no such option; {ways_for()}"
    return f"{came}, and no image; {EXAMPLE}"


def ways_for() -> str:
    """The options, and where images go."""
    names = list(Options.model_fields)
    return f"the options are {', '.join(names[:-1])} and {names[-1]}, and images go into {FILES!r}, {EXAMPLE}"


def read_json(body: bytes, asked: Iterable[tuple[str, str]]) -> tuple[list[Named], Options]:
    """The JSON body `PredictRequest`."""
    try:
        told = PredictRequest.model_validate_json(as_utf8(body))
    except ValidationError as error:
        if error.errors(include_url=False, include_context=False, include_input=False)[0]["type"] == "json_invalid":
            said = first_fault(error)
            raise ApiError(422, f"{said}; the body is {described(body)}{as_it_is(body)}") from None
        raise ApiError(422, first_fault(error)) from None
    named = [Named(f"image {place}", decoded(text)) for place, text in enumerate(told.images, start=1)]
    inside = told.model_dump(include=set(OPTIONS & told.model_fields_set))
    return named, options_of([*asked, *inside.items()])


def as_utf8(body: bytes) -> bytes:
    """JSON in UTF-8 without a byte order mark, from any Unicode encoding."""
    encoding = json.detect_encoding(body)
    return body if encoding == "utf-8" else body.decode(encoding, "replace").encode("utf-8", "replace")


def as_it_is(body: bytes) -> str:
    """What to do if a body is not of its content type."""
    if begins_as_image(body):
        return "; send it with Content-Type: application/octet-stream, or in base64"
    if described(body) == "a form":
        return "; let the client set Content-Type"
    return ""


def read_whole(
    body: bytes, kind: str, disposition: str, asked: Iterable[tuple[str, str]]
) -> tuple[list[Named], Options]:
    """A body that is one image, whatever its content type, or text that encodes one."""
    if not body:
        raise ApiError(415 if not kind else 422, f"the body is empty; send {WAYS}")
    name = shown(parameters("Content-Disposition", disposition).get("filename") or "image 1")
    if CUT_BY_CURL.match(body) and not LEFT_OUT.search(body):
        cut = ImageError("its zero bytes and line ends are missing, since curl -d drops them; use --data-binary")
        return [Named(name, cut)], options_of(asked)
    if (content := image_in(body)) is not None:
        return [Named(name, content)], options_of(asked)
    start = body.lstrip()
    if start.startswith((b"{", b"\xef\xbb\xbf{")):
        return read_json(start, asked)  # curl -d sends it as a form
    if described(body) == "a form":
        said = f"Content-Type {quoted(kind)}" if kind else "no Content-Type"
        raise ApiError(415, f"the body is a form, with {said}; let the client set Content-Type")
    if kind == URLENCODED and FIRST_FIELD.match(start) and is_text(body):
        return read_urlencoded(body, asked)
    found = decoded(body.decode("ascii")) if is_text(body) else body
    return [Named(name, found)], options_of(asked)


def read_urlencoded(body: bytes, asked: Iterable[tuple[str, str]]) -> tuple[list[Named], Options]:
    """An urlencoded form: images in base64, and options."""
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise ApiError(413, "the form has more than 1,000 fields; send fewer") from None
    # An unencoded + has become a space, and base64 has no other spaces.
    return read_form([Part(field, None, "", said_in(field, value)) for field, value in fields], asked)


def said_in(field: str, value: str) -> bytes:
    """The value of such a field as a part of a form."""
    if field in OPTIONS:
        return value.encode("utf-8", "replace")
    return value.replace(" ", "+").encode("utf-8", "replace")


def options_of(given: Iterable[tuple[str, object]]) -> Options:
    """The options of query, form and JSON together; an empty value counts as not given."""
    values: dict[str, object] = {}
    for name, value in given:
        if name in values:
            raise ApiError(422, f"{shown(name)}: given twice")
        if value != "":
            values[name] = value
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise ApiError(422, first_fault(error)) from None


def shown(name: str) -> str:
    """A client's name, safe to echo."""
    return printable(name)[:LONGEST_NAME]


def see(content: bytes | ImageError, preprocessing: Preprocessing, most: int) -> DecodedImage | ImageError:
    """Decode and preprocess one image of at most `most` pixels, or return why that is not possible."""
    if isinstance(content, ImageError):
        return content
    try:
        image = read_image(content, most=most)
    except ImageError as error:
        return error
    left, top, right, bottom = preprocessing.crop_box(*image.size)
    width, height = image.size
    return DecodedImage(preprocessing.pixels(image), (left / width, top / height, right / width, bottom / height))
