"""Decodes an image that was sent as text: base64 as common tools write it, alone or in a data URL."""

import base64
import re
from urllib.parse import unquote, unquote_to_bytes

from corolla.data.decoding import ImageError, begins_as_image
from corolla.inputs.remote import protocol
from corolla.text import one_line

SPACE = b" \t\r\n\f\v"
STANDARD = bytes.maketrans(b"-_", b"+/")  # from the URL-safe alphabet
DATA_URL = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)
PYTHON_BYTES = re.compile(r"b(['\"])([^'\"]*)\1")  # str() of bytes
FILE_NAME = re.compile(r"[^\r\n]{0,250}\.[A-Za-z]{2,4}")
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
QUOTED = 40  # characters of what was sent that a reason quotes


def decoded(text: str) -> bytes | ImageError:
    """The bytes in base64 or a data URL, or in a few words why there are none.

    Accepts both alphabets, with or without padding and line breaks, and percent-encoded data URLs.
    """
    text = text.strip()
    if found := PYTHON_BYTES.fullmatch(text):
        text = found[2]
    if found := DATA_URL.match(text):
        rest = text[found.end() :]
        if not found[1].lower().rstrip().endswith("base64") and not is_text(content := unquote_to_bytes(rest)):
            return content
        text = unquote(rest)
    if not text:
        return ImageError("it is empty")
    if protocol(text):
        return ImageError(f"it is an address, {quoted(text)}, and this server downloads nothing; send the bytes")
    if FILE_NAME.fullmatch(text):
        return ImageError(f"it is a file's name, {quoted(text)}, not its bytes")
    plain = text.encode("ascii", "replace").translate(STANDARD, SPACE).rstrip(b"=")
    if wrong := NOT_BASE64.search(plain):
        return ImageError(f"it is not base64: {wrong[0].decode()!r} is none of its characters, in {quoted(text)}")
    if len(plain) % 4 == 1:
        return ImageError(f"it is not base64: {len(plain):,} characters are no whole number of bytes; it was cut off")
    return base64.b64decode(plain + b"=" * (-len(plain) % 4))


def image_in(content: bytes) -> bytes | None:
    """The bytes of an image, sent directly or as text; None if their beginning is neither."""
    if begins_as_image(content):
        return content
    if not is_text(content):
        return None
    inside = decoded(content.decode("ascii"))
    return inside if isinstance(inside, bytes) and begins_as_image(inside) else None


def is_text(content: bytes) -> bool:
    """Whether these bytes are ASCII without control characters, like base64 and unlike compressed images."""
    return content.isascii() and not CONTROL.search(content)


def quoted(text: str) -> str:
    """The beginning of what was sent, as a reason quotes it."""
    text = one_line(text.strip())
    return f"'{text[:QUOTED]}{'…' if len(text) > QUOTED else ''}'"


def described(content: bytes) -> str:
    """What the bytes of a body or of a part are, for the reason of a refusal."""
    if not content:
        return "nothing"
    if begins_as_image(content):
        return "the bytes of an image"
    if content.lstrip().startswith(b"--") and b"content-disposition:" in content[:2000].lower():
        return "a form"
    if is_text(content):
        return f"text, {quoted(content.decode('ascii'))}"
    return f"{len(content):,} bytes of no known kind"
