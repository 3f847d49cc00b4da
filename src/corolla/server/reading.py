"""From the body of a request to named pictures and options, and from a picture's bytes to what the model reads."""

import base64
import binascii
import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from corolla.data.decoding import PictureError, read_picture
from corolla.preprocessing import Preprocessing
from corolla.server.failures import Refused, first_fault
from corolla.server.limits import Limits
from corolla.server.schemas import Asked, Options
from corolla.text import count, printable

# Without any handler Python prints a library's log to the terminal, and this one quotes what was sent.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

LONGEST_NAME = 200  # characters that are echoed
LARGEST_FIELD = 1000  # bytes of a form field that is no file
FILES = "files"  # the form field of the pictures


@dataclass(frozen=True)
class Named:
    """The bytes of one picture, or why there are none, and what to call it in the answer."""

    name: str
    content: bytes | PictureError


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture as the model reads it."""

    pixels: NDArray[np.uint8]  # (H, W, 3)
    box: tuple[float, float, float, float]  # the crop: left, top, right, bottom in parts of the picture, upright


async def read_request(request: Request, limits: Limits) -> tuple[list[Named], Options]:
    """The pictures and the options of a request; `Refused` for what is not asked rightly."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(415, "a compressed body is not taken; pictures are compressed by themselves")
    if kind == "multipart/form-data":
        named, options = await read_form(request, limits)
    elif kind == "application/json":
        named, options = read_json(await request.body())
    else:
        raise Refused(415, "send multipart/form-data with files, or application/json with pictures in base64")
    if len(named) > limits.pictures:
        raise Refused(413, f"{len(named)} pictures in one request are too many; send {limits.pictures} at most")
    return named, options


async def read_form(request: Request, limits: Limits) -> tuple[list[Named], Options]:
    """The fields of a form: `files`, one or several, and the options."""
    fields = len(Options.model_fields)
    try:
        form = await request.form(max_files=limits.pictures, max_fields=fields, max_part_size=LARGEST_FIELD)
    except HTTPException as error:
        many = "Too many files" in error.detail
        more = f"; send {count(limits.pictures, 'picture')} at most" if many else ""
        raise Refused(413 if many else 400, f"the form cannot be read: {error.detail.rstrip('.')}{more}") from None
    try:
        named: list[Named] = []
        values: dict[str, str] = {}
        for field, value in form.multi_items():
            if field == FILES:
                if not isinstance(value, UploadFile):
                    raise Refused(422, "files: a field without a file name; send each picture as a file")
                name = shown(value.filename or f"picture {len(named) + 1}")
                named.append(Named(name, await value.read()))
            elif isinstance(value, UploadFile):
                raise Refused(422, f"{shown(field)}: pictures go into the field {FILES!r}")
            elif field in values:
                raise Refused(422, f"{shown(field)}: given twice")
            else:
                values[field] = value
    finally:
        await form.close()
    if not named:
        raise Refused(422, f"files: no picture was sent; each goes into a field {FILES!r}")
    try:
        return named, Options.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        raise Refused(422, first_fault(error)) from None


def read_json(body: bytes) -> tuple[list[Named], Options]:
    """The JSON body `Asked`."""
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        raise Refused(422, first_fault(error)) from None
    return [Named(f"picture {place}", decoded(text)) for place, text in enumerate(asked.pictures, start=1)], asked


def decoded(text: str) -> bytes | PictureError:
    """The bytes that base64 or a data URL holds."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return PictureError("it is not base64")


def shown(name: str) -> str:
    """A name of somebody's as it is echoed."""
    return printable(name)[:LONGEST_NAME]


def see(content: bytes | PictureError, preprocessing: Preprocessing, most: int) -> Seen | PictureError:
    """Decode and preprocess one picture of at most `most` pixels, or say why that cannot be done."""
    if isinstance(content, PictureError):
        return content
    try:
        picture = read_picture(content, most=most)
    except PictureError as error:
        return error
    left, top, right, bottom = preprocessing.crop_box(*picture.size)
    width, height = picture.size
    return Seen(preprocessing.pixels(picture), (left / width, top / height, right / width, bottom / height))
