"""Images whose stored values are not what viewers show: each comes as people see it, or a line says why not."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from corolla.data.checking import check
from corolla.data.decoding import ImageError, read_image, read_with_header
from corolla.data.image_input import read_given
from corolla.data.manifest import Example

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
Tag = tuple[int, list[int]]


def tiff(values: NDArray, photometric: int = BLACK_IS_ZERO, bits: int = 0, tags: Sequence[Tag] = ()) -> bytes:
    """An uncompressed TIFF of (H, W) or (H, W, 3) values; with `bits`, of a row of bytes that are packed so."""
    height, width, samples = (*values.shape, 1)[:3] if not bits else (1, values.size * 8 // bits, 1)
    entries: list[Tag] = [
        (256, [width]), (257, [height]), (258, [bits or values.itemsize * 8] * samples), (259, [1]),
        (262, [photometric]), (273, [0]), (277, [samples]), (278, [height]), (279, [values.nbytes]), *tags,
    ]  # fmt: skip
    entries.sort()
    behind, far = 10 + 12 * len(entries) + 4, b""
    table = b""
    for number, some in entries:
        if len(some) > 2:
            content, far = struct.pack("<I", behind + len(far)), far + struct.pack(f"<{len(some)}H", *some)
        else:
            content = struct.pack(f"<{len(some)}H", *some).ljust(4, b"\0")
        table += struct.pack("<HHI", number, 3, len(some)) + content
    start = behind + len(far)
    table = table.replace(struct.pack("<HHIHH", 273, 3, 1, 0, 0), struct.pack("<HHIHH", 273, 3, 1, start, 0))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + b"\0" * 4 + far + values.tobytes()


def png(rows: NDArray, bits: int, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of rows of bytes as they lie in it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    width = rows.nbytes * 8 // (len(rows) * bits * {0: 1, 2: 3, 3: 1}[kind])
    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    inside = [(b"IHDR", header), *chunks, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in inside)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


RAMP8 = np.array([[0, 85, 170, 255]], np.uint8)
RAMP16 = np.array([[0, 0x5555, 0xAAAA, 0xFFFF]], "<u2")
RAMP12 = np.array([[0, 1365, 2730, 4095]], "<u2")
UP, DOWN = [0, 85, 170, 255], [255, 170, 85, 0]
DARK = [0, 5, 11, 16]  # values of 12 bits on the scale of 16, as every viewer shows them

# What is stored -> the grays that people see.
GRAYS: dict[str, tuple[bytes, list[int]]] = {
    "8 bits": (tiff(RAMP8), UP),
    "8 bits, white is zero": (tiff(RAMP8, WHITE_IS_ZERO), DOWN),
    "16 bits": (tiff(RAMP16), UP),
    "16 bits, white is zero": (tiff(RAMP16, WHITE_IS_ZERO), DOWN),
    "16 bits, white is zero, compressed": (
        saved(Image.fromarray(RAMP16), "TIFF", compression="tiff_lzw", tiffinfo={262: 0}),
        DOWN,
    ),
    "1 bit": (tiff(np.array([0b01010000], np.uint8), bits=1)[:], [0, 255, 0, 255, 0, 0, 0, 0]),
    "1 bit, white is zero": (
        tiff(np.array([0b01010000], np.uint8), WHITE_IS_ZERO, bits=1),
        [255, 0, 255, 0, 255, 255, 255, 255],
    ),
    "4 bits": (tiff(np.array([0x05, 0xAF], np.uint8), bits=4), UP),
    "4 bits, white is zero": (tiff(np.array([0x05, 0xAF], np.uint8), WHITE_IS_ZERO, bits=4), DOWN),
    "12 bits packed": (tiff(np.frombuffer(bytes([0, 5, 0x55, 0xAA, 0xAF, 0xFF]), np.uint8), bits=12), UP),
    "12 bits in 16 that say so": (tiff(RAMP12, tags=[(281, [4095])]), UP),
    "12 bits in 16 that say so otherwise": (tiff(RAMP12, tags=[(340, [0]), (341, [4095])]), UP),
    "12 bits in 16 that say so, white is zero": (tiff(RAMP12, WHITE_IS_ZERO, tags=[(281, [4095])]), DOWN),
    "12 bits in 16 that do not say so": (tiff(RAMP12), DARK),
    "the largest value there happens to be": (tiff(RAMP12 // 2, tags=[(281, [2050])]), [0, 3, 5, 8]),
    "a largest value that is wrong": (tiff(RAMP16, tags=[(281, [4095])]), UP),
    "PNG of 16 bits": (png(RAMP16.astype(">u2"), 16, 0), UP),
    "PNG of 16 bits, one value clear": (png(RAMP16.astype(">u2"), 16, 0, (b"tRNS", b"\x55\x55")), [0, 255, 170, 255]),
    "PNG of 12 bits in 16": (png(RAMP12.astype(">u2"), 16, 0, (b"sBIT", b"\x0c")), DARK),
    "PGM of 12 bits": (b"P5\n4 1\n4095\n" + RAMP12.astype(">u2").tobytes(), UP),
}


def grays(image: Image.Image) -> list[int]:
    pixels = np.asarray(image)
    assert pixels.shape[2] == 3
    assert (pixels == pixels[..., :1]).all()
    return [int(value) for value in pixels[..., 0].ravel()]


@pytest.mark.parametrize("kind", GRAYS)
def test_grays(kind: str, tmp_path: Path) -> None:
    content, seen = GRAYS[kind]
    (tmp_path / "a").write_bytes(content)
    assert grays(read_image(tmp_path / "a")) == seen
    with Image.open(tmp_path / "a") as opened:  # and the same however it is handed over
        assert grays(read_given(opened)) == seen
        assert grays(read_given(opened)) == seen  # loaded by now
    assert grays(read_given(content)) == seen
    assert grays(read_image(content, draft=1000)) == seen  # as a training reads it


COLORS: dict[str, tuple[bytes, list[list[int]]]] = {
    "16 bits a channel": (png(np.array([[0, 0x5555, 0xFFFF]], ">u2"), 16, 2), [[0, 85, 255]]),
    "palette with a clear entry": (
        png(np.array([[0, 1, 2]], np.uint8), 8, 3, (b"PLTE", bytes(range(10, 100, 10))), (b"tRNS", b"\xff\x00\x80")),
        [[10, 20, 30], [255, 255, 255], [162, 167, 172]],
    ),
    "clear over white": (saved(Image.new("RGBA", (1, 1), (9, 9, 9, 0)), "PNG"), [[255, 255, 255]]),
    "half clear": (saved(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "WEBP", lossless=True), [[127, 127, 127]]),
    "CMYK as Adobe inverts it": (saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG"), [[0, 255, 255]] * 64),
    "CMYK in a TIFF": (saved(Image.new("CMYK", (1, 1), (255, 0, 0, 0)), "TIFF"), [[0, 255, 255]]),
    "the first frame": (
        saved(Image.new("RGB", (1, 1), (10, 0, 0)), "PNG", save_all=True, append_images=[Image.new("RGB", (1, 1))]),
        [[10, 0, 0]],
    ),
}


@pytest.mark.parametrize("kind", COLORS)
def test_colors(kind: str) -> None:
    content, seen = COLORS[kind]
    assert np.asarray(read_image(content)).reshape(-1, 3).tolist() == seen
    assert np.asarray(read_given(Image.open(io.BytesIO(content)))).reshape(-1, 3).tolist() == seen


def test_turning_comes_after(tmp_path: Path) -> None:
    column = tiff(RAMP12, WHITE_IS_ZERO, tags=[(281, [4095]), (274, [6])])
    assert read_image(column).size == (1, 4)
    assert grays(read_image(column)) == DOWN


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (tiff(np.array([[0, 0.5]], "<f4"), tags=[(339, [3])]), "float32"),
        (tiff(np.array([[-5, 9]], "<i2"), tags=[(339, [2])]), "int32"),
        (tiff(np.array([[-128, 127]], "i1"), tags=[(339, [2])]), "int8"),
    ],
)
def test_values_without_a_black_and_a_white_are_refused_by_name(content: bytes, word: str) -> None:
    with pytest.raises(ImageError, match=rf"its values \({word}\) have no agreed black and white") as caught:
        read_image(content)
    assert "\n" not in str(caught.value)


def deep(value: int, color: bool = False) -> bytes:
    """A PNG of 16 bits whose largest value it is."""
    shape = (4, 5, 3) if color else (4, 5)
    values = np.random.default_rng(value).integers(0, value + 1, shape)
    values[0, 0] = value
    return png(values.astype(">u2").reshape(4, -1), 16, 2 if color else 0)


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ([deep(4000), deep(900)], "2 images of 2 hold 16 bits per channel and no value above 4,095"),
        ([deep(4000, color=True)], "1 image of 1 holds 16 bits per channel and no value above 4,095"),
        ([deep(255), saved(Image.new("L", (4, 5)), "PNG")], "1 image of 2 holds 16 bits per channel and no value abo"),
        ([deep(16383)], "multiply the values by 4 and save them again"),
        ([deep(4000), deep(60000)], ""),  # one scale, and some are dark
        ([deep(60000, color=True)], ""),
        ([saved(Image.new("L", (4, 5), 3), "PNG")], ""),  # as dark as it was meant
        ([tiff(RAMP12, tags=[(281, [4095])])], ""),  # read right
    ],
)
def test_a_set_on_too_large_a_scale_is_told(
    contents: list[bytes], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.png").write_bytes(content)
    examples = [Example(f"{number}.png", "a") for number in range(len(contents))]
    for _ in range(2):  # the second time as it is remembered
        notes = check(tmp_path, examples).notes
        assert [note[: len(said)] == said or said in note for note in notes] == [True] * bool(said)


def test_bits_are_those_of_the_largest_value() -> None:
    assert [read_with_header(deep(value))[1].bits for value in (1, 255, 256, 4095, 4096, 65535)] == [
        8,
        8,
        9,
        12,
        13,
        16,
    ]
    assert [read_with_header(deep(value, color=True))[1].bits for value in (255, 4095, 65535)] == [8, 12, 16]
