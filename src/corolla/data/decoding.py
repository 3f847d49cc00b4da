"""From the bytes of a file to an RGB image, or to a short reason why not.

Every image that corolla looks at, in training, in `predict` and in a server, comes through `read_image`,
so that rotation, transparency, palettes and bit depths are dealt with once. The content decides what a file
is, never its name, and files are taken to be hostile: only formats with well-kept decoders are tried, and the
size in the header is checked before a single pixel is decoded.
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

MAX_BYTES = 64_000_000  # of a file that comes over a network or out of an archive
MAX_PIXELS = 178_956_970  # twice Pillow's own warning line: about 0.5 GB once decoded to RGB

_PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Avif")
_WANTED = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF")
for _name in _PLUGINS:  # only these: `Image.init()` would load three dozen more, in a tenth of a second
    with suppress(ImportError):  # AVIF came with Pillow 11.3
        importlib.import_module(f"PIL.{_name}ImagePlugin")
# Without any handler Python prints a library's log to the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())
FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "DIB": ".bmp"}  # where it is not the format's own name

# EXIF tag 0x0112 says how the camera was held; each value is undone by one transposition.
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
_ON_ITS_SIDE = {_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}  # turned so, width and height change places


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its image beside the pixels."""

    width: int  # in pixels, upright
    height: int
    exif: bytes  # the block as it lies in the file, empty where there is none; a TIFF file is one itself
    bits: int = 0  # of 16 a channel, how many the largest value takes; 0 of 8 bits, and where the file says its depth


class ImageError(CorollaError):
    """A file that cannot be read as an image; `reason` says why in a few words, without the path."""

    def __init__(self, reason: str, path: Path | str | None = None) -> None:
        super().__init__(f"cannot read {path or 'the image'}: {reason}")
        self.reason, self.path = reason, path

    def of(self, number: int, count: int) -> "ImageError":
        """The same about image `number`, from 1, of so many, for one that has no path to be called by."""
        return self if self.path or count == 1 else ImageError(self.reason, f"image {number} of {count}")


_NO_RANGE = "its values ({}) have no agreed black and white; save it with 8 or 16 bits"
_CLOSED = "its file was closed before it was decoded"
_OPENING = threading.Lock()  # an open file or a Pillow image may be given twice, and has one place to read from


def read_image(
    source: Path | BinaryIO | bytes | Image.Image, *, draft: int | None = None, most: int = MAX_PIXELS
) -> Image.Image:
    """Read one image as RGB, upright (EXIF), on white where it is transparent, 8 bits a channel.

    Of an animation the first frame is taken; grays of more than 8 bits are scaled, not clipped, by the range that
    their file says (see `corolla.data.depths`), and a TIFF whose zero is white comes as it is shown. With `draft`, a
    JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side keeps at least `draft` pixels:
    several times faster, but the pixels differ a little from a full decoding followed by a resize, so it is
    for training only. What says in its header that it has more than `most` pixels is refused before it is decoded.
    A Pillow image is read as its file would be, in any mode, at the frame where it stands, and stays as it is.

    Safe to call from many threads. Raises `ImageError`.
    """
    return read_with_header(source, draft=draft, most=most)[0]


def read_with_header(
    source: Path | BinaryIO | bytes | Image.Image, *, draft: int | None = None, most: int = MAX_PIXELS
) -> tuple[Image.Image, Header]:
    """The same image and what its file says of it: its size is the whole one whatever `draft` is."""
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
    # Decoders meet broken bytes with every kind of exception (struct.error, SyntaxError, ZeroDivisionError,
    # ...).
    except Exception as error:
        raise ImageError(_reason(error), path) from None


def check_header(path: Path) -> None:
    """`ImageError`, as of `read_image`, for what is no image by its first bytes; nothing is decoded."""
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
    """Whether the first bytes are those of a format that is read here; the rest may be anything."""
    start = content[:16].ljust(16, b"\0")  # Pillow's own questions need some
    return any(accepts is not None and accepts(start) is True for _, accepts in (Image.OPEN[name] for name in FORMATS))


def sides_of(path: Path) -> tuple[int, int]:
    """Width and height, upright, as the header of a file says; nothing is decoded. Raises `ImageError`."""
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
    """The usual ending of a file with this content, such as `.jpg`; none if it is no image by its first bytes."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            name = image.format or ""
    except Exception:  # broken bytes are met with every kind of exception
        return ""
    return _SUFFIXES.get(name, f".{name.lower()}")


def _content(file: BinaryIO) -> bytes:
    """All of an open file, wherever it stands; what cannot go back, a pipe, from where it stands."""
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
        size = whole if shrunk else image.size  # Pillow has turned a TIFF by now
        return _upright(image, size, color_bits(image) if deep else 0)


def _upright(image: Image.Image, size: tuple[int, int], bits: int = 0) -> tuple[Image.Image, Header]:
    """A loaded image as RGB and the way up it should be, with its header; `size` is that of the whole image."""
    exif = image.info.get("exif", b"")
    turn = _turn(image)
    width, height = reversed(size) if turn in _ON_ITS_SIDE else size
    if is_deep_gray(image):  # before it is turned: that would be no file's image any more, and have no tags
        try:
            image, bits = from_deep_gray(image)
        except ValueError as error:
            raise ImageError(_NO_RANGE.format(error)) from None
    elif is_signed(image):
        raise ImageError(_NO_RANGE.format("int8"))
    result = _to_rgb(image if turn is None else image.transpose(turn))
    result.info.clear()  # no EXIF may travel on, or a later reader could turn the image twice
    return result, Header(width, height, exif if isinstance(exif, bytes) else b"", bits)


def _check_head(file: BinaryIO) -> None:
    start = file.tell()
    head = file.read(32)
    file.seek(start)
    if not head:
        raise ImageError("the file is empty (0 bytes)")
    if head[4:8] == b"ftyp" and head[8:11] in (b"hei", b"hev", b"mif", b"msf") and b"avif" not in head:
        raise ImageError("HEIC, which cannot be read here; save it as JPEG")


def _check_size(image: Image.Image, most: int) -> None:
    width, height = image.size
    if width * height > most:
        raise ImageError(_too_large(f"{width} x {height}", most))
    if not width * height:  # files have none of these
        raise ImageError("it has no pixels")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What brings an image upright, if anything is needed."""
    # Only after load(): Pillow turns TIFFs itself while loading and then drops the tag.
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged metadata is no reason to lose good pixels
        orientation = 1
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # grays that were multiplied by their opacity, which Pillow leads to LA alone
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _check_is_file(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # a pipe or a device would hang the reader
        raise ImageError("it is a folder" if stat.S_ISDIR(mode) else "it is not an ordinary file")


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
    # Pillow warns about odd metadata and large images; we either read them or give a reason. A filter that
    # stays is used because `warnings.catch_warnings` is not safe in threads, and it is set only when it is
    # not in front, since every change of the filters makes Python repeat warnings it has already shown.
    if warnings.filters[:1] != [_HUSH]:
        warnings.filterwarnings("ignore", module=_HUSH[3].pattern)
