"""Decodes the bytes of a file to an RGB image, or reports a short reason why it cannot.

Every image, in training, in `predict` and in the server, is read by `read_image`: one place for rotation,
transparency, palettes and bit depths. The content decides the format, never the file name. Files are untrusted: only
formats with well-maintained decoders are tried, and the size in the header is checked before a pixel is decoded.
"""

import importlib
import io
import logging
import re
import stat
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from corolla.data.depths import color_bits, deep_color, from_deep_gray, is_deep_gray, is_signed
from corolla.errors import CorollaError

MAX_PIXELS = 178_956_970  # twice Pillow's own warning limit: about 0.5 GB once decoded to RGB

_PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Avif")
_WANTED = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF")
for _name in _PLUGINS:  # only these: `Image.init()` would load three dozen more and take 0.1 s
    with suppress(ImportError):  # AVIF came with Pillow 11.3
        importlib.import_module(f"PIL.{_name}ImagePlugin")
# Without a handler, Python prints a library's log to the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())
FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "DIB": ".bmp"}  # where it differs from the format's name

# EXIF tag 0x0112 is the orientation; one transposition undoes each value.
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = {_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}  # these swap width and height


@dataclass(frozen=True, slots=True)
class Header:
    """The metadata of an image file."""

    width: int  # in pixels, upright
    height: int
    exif: bytes  # the raw block of the file, empty if there is none; for a TIFF, the file itself
    bits: int = 0  # of a 16-bit channel, how many the largest value needs; 0 for 8 bits or if the file states its depth


class ImageError(CorollaError):
    """A file that cannot be read as an image; `reason` says why, without the path."""

    def __init__(self, reason: str, path: Path | str | None = None) -> None:
        super().__init__(f"cannot read {path or 'the image'}: {reason}")
        self.reason, self.path = reason, path

    def of(self, number: int, count: int) -> "ImageError":
        """The same error for image `number` (from 1) of `count`, if it has no path to name it by."""
        return self if self.path or count == 1 else ImageError(self.reason, f"image {number} of {count}")


_NO_RANGE = "its values ({}) have no agreed black and white; save it with 8 or 16 bits"
_CLOSED = "its file was closed before it was decoded"
_OPENING = threading.Lock()  # an open file or a Pillow image may be passed twice, and has only one read position


def read_image(
    source: Path | BinaryIO | bytes | Image.Image, *, draft: int | None = None, most: int = MAX_PIXELS
) -> Image.Image:
    """Read one image as 8-bit RGB, upright (EXIF), with white behind transparent pixels.

    Takes the first frame of an animation. Grayscale of more than 8 bits is scaled, not clipped, by the range that its
    file states (see `corolla.data.depths`); a TIFF with white as zero is inverted. With `draft`, a JPEG is decoded at
    1/2, 1/4 or 1/8 of its size as long as its shorter side keeps at least `draft` pixels: several times faster, but
    the pixels differ slightly from a full decode followed by a resize, so use it for training only. An image with more
    than `most` pixels by its header is rejected before decoding. A Pillow image, of any mode, is read like its file,
    at its current frame, and is not modified.

    Thread-safe. Raises `ImageError`.
    """
    return read_with_header(source, draft=draft, most=most)[0]


def read_with_header(
    source: Path | BinaryIO | bytes | Image.Image, *, draft: int | None = None, most: int = MAX_PIXELS
) -> tuple[Image.Image, Header]:
    """The image of `read_image` and its metadata, which has the full size also with `draft`."""
    path = source if isinstance(source, Path) else None
    _hush_pillow()
    try:
        if isinstance(source, Path):
            _check_is_file(source)
            with source.open("rb") as file:
                return _decode(file, draft, most)
        if isinstance(source, Image.Image):
            _check_size(source, most)
            with _OPENING:
                if getattr(source, "tile", None) and getattr(source, "fp", None) is None:
                    raise ImageError(_CLOSED)
                source.load()
            return _upright(source, source.size)
        if not isinstance(source, bytes):
            with _OPENING:
                source = _content(source)
        return _decode(io.BytesIO(source), draft, most)
    except ImageError as error:
        raise ImageError(error.reason, path) from None
    # Decoders raise all kinds of exceptions on broken bytes (struct.error, SyntaxError, ZeroDivisionError, ...).
    except Exception as error:
        raise ImageError(_reason(error), path) from None


def check_header(path: Path) -> None:
    """Raise `ImageError` if the first bytes are not those of an image; decodes nothing."""
    _hush_pillow()
    try:
        _check_is_file(path)
        with path.open("rb") as file:
            _check_head(file)
            with Image.open(file, formats=FORMATS):
                pass
    except ImageError as error:
        raise ImageError(error.reason, path) from None
    except Exception as error:  # as there
        raise ImageError(_reason(error), path) from None


def begins_as_image(content: bytes) -> bool:
    """Whether the first bytes are those of a supported format; the rest is not checked."""
    start = content[:16].ljust(16, b"\0")  # Pillow's checks need 16 bytes
    return any(accepts is not None and accepts(start) is True for _, accepts in (Image.OPEN[name] for name in FORMATS))


def sides_of(path: Path) -> tuple[int, int]:
    """Width and height, upright, from the header of a file; decodes nothing. Raises `ImageError`."""
    _hush_pillow()
    try:
        _check_is_file(path)
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            return (height, width) if _turn(image) in _ON_ITS_SIDE else (width, height)
    except ImageError as error:
        raise ImageError(error.reason, path) from None
    except Exception as error:  # as in `read_with_header`
        raise ImageError(_reason(error), path) from None


def suffix_of(content: bytes) -> str:
    """The usual suffix of a file with this content, such as `.jpg`; "" if the first bytes are not of an image."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            name = image.format or ""
    except Exception:  # decoders raise all kinds of exceptions on broken bytes
        return ""
    return _SUFFIXES.get(name, f".{name.lower()}")


def _content(file: BinaryIO) -> bytes:
    """All bytes of an open file, whatever its position; of a pipe, which cannot seek, the remaining bytes."""
    with suppress(AttributeError, OSError):
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise ImageError("the file is open as text; open it with mode 'rb'")
    return content


def _decode(file: BinaryIO, draft: int | None, most: int) -> tuple[Image.Image, Header]:
    _check_head(file)
    with Image.open(file, formats=FORMATS) as image:
        _check_size(image, most)
        whole, deep = image.size, deep_color(image)
        if draft is not None:
            image.draft(image.mode, (draft, draft))
        shrunk = image.size != whole
        image.load()
        size = whole if shrunk else image.size  # Pillow has already rotated a TIFF here
        return _upright(image, size, color_bits(image) if deep else 0)


def _upright(image: Image.Image, size: tuple[int, int], bits: int = 0) -> tuple[Image.Image, Header]:
    """A loaded image as upright RGB, with its metadata; `size` is the size of the full image."""
    exif = image.info.get("exif", b"")
    turn = _turn(image)
    width, height = reversed(size) if turn in _ON_ITS_SIDE else size
    if is_deep_gray(image):  # before the rotation, which drops the file's tags
        try:
            image, bits = from_deep_gray(image)
        except ValueError as error:
            raise ImageError(_NO_RANGE.format(error)) from None
    elif is_signed(image):
        raise ImageError(_NO_RANGE.format("int8"))
    result = _to_rgb(image if turn is None else image.transpose(turn))
    result.info.clear()  # drop the EXIF data, or a later reader could rotate the image twice
    return result, Header(width, height, exif if isinstance(exif, bytes) else b"", bits)


def _check_head(file: BinaryIO) -> None:
    start = file.tell()
    head = file.read(32)
    file.seek(start)
    if not head:
        raise ImageError("the file is empty (0 bytes)")
    if head[4:8] == b"ftyp" and head[8:11] in (b"hei", b"hev", b"mif", b"msf") and b"avif" not in head:
        raise ImageError("HEIC is not supported; save it as JPEG")


def _check_size(image: Image.Image, most: int) -> None:
    width, height = image.size
    if width * height > most:
        raise ImageError(_too_large(f"{width} x {height}", most))
    if not width * height:  # files have none of these
        raise ImageError("it has no pixels")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """The transposition that makes an image upright, if it needs one."""
    # Only after load(): Pillow rotates TIFFs itself while loading and then drops the tag.
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged metadata must not discard good pixels
        orientation = 1
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # grayscale premultiplied by alpha; Pillow converts it to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _check_is_file(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # a pipe or a device would hang the reader
        raise ImageError("it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file")


def _too_large(size: str, most: int = MAX_PIXELS) -> str:
    return f"too large: {size} pixels, more than {most / 1e6:.0f} million are refused"


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    if isinstance(error, Image.DecompressionBombError):
        pixels = re.search(r"\((\d+) pixels\)", str(error))
        return _too_large(f"{int(pixels[1]):,}" if pixels else "its")
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    text = " ".join(str(error).split())
    if "closed image" in text or "closed file" in text:
        return _CLOSED
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated: the file ends before the image does"
    return f"damaged: {text[:120] or type(error).__name__}"


_HUSH = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def _hush_pillow() -> None:
    # Pillow warns about odd metadata and large images; we either read them or report an error. The filter is
    # permanent because `warnings.catch_warnings` is not thread-safe, and it is set only when it is not already
    # in front, since every change of the filters makes Python repeat warnings it has already shown.
    if warnings.filters[:1] != [_HUSH]:
        warnings.filterwarnings("ignore", module=_HUSH[3].pattern)
