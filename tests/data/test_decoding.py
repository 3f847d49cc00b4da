import io
import os
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corolla.data.decoding import FORMATS, MAX_PIXELS, Header, ImageError, read_image, read_with_header
from corolla.errors import CorollaError

LIKE_THE_ORIGINAL: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Four quarters of different colors: no two of its eight orientations look alike."""
    image = Image.new("RGB", size, RED)
    width, height = size
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, color: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG written by hand, for what Pillow itself cannot save."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = b"".join(chunk(extra[:4], extra[4:]) for extra in chunks)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def assert_like(image: Image.Image, expected: Image.Image, tolerance: int = 0) -> None:
    assert image.mode == "RGB"
    assert image.size == expected.size
    difference = np.abs(np.asarray(image, np.int16) - np.asarray(expected.convert("RGB"), np.int16))
    assert difference.max() <= tolerance


# What can be read right


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "DIB"])
def test_reads_every_format_whatever_the_file_is_called(format: str, tmp_path: Path) -> None:
    path = tmp_path / "a rosé, 1.txt"
    path.write_bytes(encoded(corners(), format, **LIKE_THE_ORIGINAL.get(format, {})))
    tolerance = 12 if format in ("JPEG", "AVIF") else 0
    if format == "GIF":
        tolerance = 1
    assert_like(read_image(path), corners(), tolerance)


def test_reads_bytes_and_open_files_from_where_they_stand() -> None:
    content = encoded(corners(), "PNG")
    assert_like(read_image(content), corners())
    file = io.BytesIO(content)
    assert_like(read_image(file), corners())
    assert not file.closed


STORED = {  # how a camera held in that way would have saved the image
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_turns_images_upright_as_their_exif_says(format: str, orientation: int) -> None:
    if format not in FORMATS:
        pytest.skip(f"this Pillow reads no {format}")
    stored = corners() if orientation == 1 else corners().transpose(STORED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = LIKE_THE_ORIGINAL.get(format, {})
    image, header = read_with_header(encoded(stored, format, exif=exif, **options))
    assert_like(image, corners(), tolerance=20)
    assert (header.width, header.height) == image.size
    assert not image.info  # or somebody could turn it a second time
    assert 0x0112 not in image.getexif()


@pytest.mark.parametrize("orientation", [0, 9, 77, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_like(read_image(encoded(corners(), "PNG", exif=exif)), corners())


@pytest.mark.parametrize(
    "garbage", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 20, b"Exif\0\0nothing"]
)
def test_damaged_exif_does_not_cost_the_image(garbage: bytes) -> None:
    assert_like(read_image(encoded(corners(), "JPEG", quality=95, subsampling=0, exif=garbage)), corners(), 12)


def test_transparency_becomes_white() -> None:
    rgba = corners().convert("RGBA")
    rgba.putalpha(Image.new("L", rgba.size, 0))
    assert_like(read_image(encoded(rgba, "PNG")), Image.new("RGB", rgba.size, "white"))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert_like(read_image(encoded(half, "PNG")), Image.new("RGB", (4, 4), (127, 127, 127)), 1)
    assert_like(read_image(encoded(half, "WEBP", lossless=True)), Image.new("RGB", (4, 4), (127, 127, 127)), 1)
    gray = Image.merge("LA", [Image.new("L", (4, 4), 9), Image.new("L", (4, 4), 0)])
    assert_like(read_image(encoded(gray, "PNG")), Image.new("RGB", (4, 4), "white"))


def test_a_transparent_color_becomes_white_in_palette_gray_and_rgb_images() -> None:
    white = Image.new("RGB", (4, 4), "white")
    palette = Image.new("RGB", (4, 4), RED).quantize(4)
    index = palette.getpixel((0, 0))
    assert_like(read_image(encoded(palette, "PNG", transparency=index)), white)
    assert_like(read_image(encoded(palette, "PNG", transparency=b"\xff" * index + b"\0")), white)
    assert_like(read_image(encoded(palette, "GIF", transparency=index)), white)
    assert_like(read_image(encoded(Image.new("L", (4, 4), 7), "PNG", transparency=7)), white)
    assert_like(read_image(encoded(Image.new("RGB", (4, 4), RED), "PNG", transparency=RED)), white)


def test_palette_gray_and_black_and_white() -> None:
    palette = corners().quantize(4)
    for format in ("PNG", "GIF", "BMP", "TIFF"):
        assert_like(read_image(encoded(palette, format)), palette.convert("RGB"))
    gray = corners().convert("L")
    for format in ("PNG", "BMP", "TIFF", "PPM"):
        assert_like(read_image(encoded(gray, format)), gray.convert("RGB"))
    bits = corners().convert("1", dither=Image.Dither.NONE)
    for format in ("PNG", "BMP", "TIFF", "PPM"):
        assert_like(read_image(encoded(bits, format)), bits.convert("RGB"))


def test_cmyk() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # all magenta and yellow: red
    assert_like(read_image(encoded(ink, "TIFF")), Image.new("RGB", (16, 16), RED))
    assert_like(read_image(encoded(ink, "JPEG", quality=95)), Image.new("RGB", (16, 16), RED), 6)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_16_bit_grays_are_scaled_and_not_clipped(format: str) -> None:
    values = np.array([[0, 257, 25700, 32768, 65278, 65535]], np.uint16)
    expected = np.array([[0, 1, 100, 128, 254, 255]], np.uint8)
    image = read_image(encoded(Image.fromarray(values), format))
    assert_like(image, Image.fromarray(expected))


def test_16_bit_color_and_alpha() -> None:
    rgb = b"\0" + struct.pack(">6H", 0, 32896, 65535, 65535, 0, 25700)
    assert_like(read_image(png(2, 1, 16, 2, rgb)), Image.fromarray(np.uint8([[[0, 128, 255], [255, 0, 100]]])))
    gray_alpha = b"\0" + struct.pack(">4H", 0, 65535, 0, 0)
    assert_like(read_image(png(2, 1, 16, 4, gray_alpha)), Image.fromarray(np.uint8([[0, 255]])))
    rgba = b"\0" + struct.pack(">8H", 65535, 0, 0, 65535, 65535, 0, 0, 0)
    assert_like(read_image(png(2, 1, 16, 6, rgba)), Image.fromarray(np.uint8([[[255, 0, 0], [255, 255, 255]]])))


def test_16_bit_gray_with_a_transparent_value() -> None:
    rows = b"\0" + struct.pack(">2H", 1000, 25700)
    image = read_image(png(2, 1, 16, 0, rows, b"tRNS" + struct.pack(">H", 1000)))
    assert_like(image, Image.fromarray(np.uint8([[255, 100]])))


def test_values_without_an_agreed_white_are_refused_and_not_guessed() -> None:
    for values in (np.float32([[0.0, 0.5]]), np.int32([[-5, 70000]])):
        with pytest.raises(ImageError, match="no agreed black and white"):
            read_image(encoded(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation(format: str) -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in (RED, GREEN, BLUE)]
    options = {"lossless": True} if format == "WEBP" else {}
    content = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert_like(read_image(content), frames[0])


def test_draft_keeps_the_shorter_side_and_the_look() -> None:
    photo = corners((1600, 900)).resize((1600, 900), Image.Resampling.BICUBIC)
    content = encoded(photo, "JPEG", quality=95)
    assert read_image(content).size == (1600, 900)
    for draft, size in (
        (901, (1600, 900)),
        (450, (800, 450)),
        (226, (800, 450)),
        (224, (400, 225)),
        (1, (200, 113)),
    ):
        image = read_image(content, draft=draft)
        assert image.size == size
        assert min(image.size) >= min(draft, 900)
    small = read_image(content, draft=112)
    assert np.abs(np.asarray(small, np.int16) - np.asarray(photo.resize(small.size), np.int16)).mean() < 3
    assert read_image(encoded(photo, "PNG"), draft=10).size == (1600, 900)


def test_draft_looks_at_the_stored_sides_of_a_turned_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(encoded(corners((640, 320)), "JPEG", exif=exif), draft=80).size == (80, 160)


def test_the_header_tells_the_whole_upright_size_and_the_exif_block_as_it_lies() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image, header = read_with_header(encoded(corners((640, 320)), "JPEG", exif=exif), draft=80)
    assert image.size == (80, 160)
    assert header == Header(320, 640, exif.tobytes())
    assert read_with_header(encoded(corners(), "PNG"))[1] == Header(64, 32, b"")


# What cannot


def reason(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(content)
    assert isinstance(caught.value, CorollaError)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_an_empty_file() -> None:
    assert reason(b"") == "the file is empty (0 bytes)"


@pytest.mark.parametrize(
    "content",
    [
        b"just a note about roses",
        b"\0" * 4000,
        b"PK\x03\x04" + b"\0" * 60,
        b"%PDF-1.7\n",
        b"\xff\xd8",
        b"<svg/>",
    ],
)
def test_not_an_image(content: bytes) -> None:
    assert reason(content) == "not an image in a known format"


def test_formats_that_run_programs_or_are_rarely_looked_after_are_not_tried() -> None:
    assert not {"EPS", "WMF", "PSD", "FITS", "HDF5", "FPX", "MIC"} & set(FORMATS)
    assert reason(encoded(corners(), "EPS")) == "not an image in a known format"
    assert reason(encoded(corners(), "TGA")) == "not an image in a known format"


def test_heic_is_told_what_to_do() -> None:
    assert "HEIC" in reason(b"\0\0\0\x24ftypheic\0\0\0\0mif1heic" + b"\0" * 40)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_truncated_images(format: str, keep: float) -> None:
    if format not in FORMATS:
        pytest.skip(f"this Pillow reads no {format}")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    content = encoded(noise, format)
    assert reason(content[: int(len(content) * keep)])


def test_a_truncated_jpeg_is_called_truncated() -> None:
    content = encoded(corners((300, 300)), "JPEG")
    assert reason(content[: len(content) // 2]).startswith("truncated")


def test_decompression_bombs_are_refused_from_the_header() -> None:
    side = int(MAX_PIXELS**0.5) + 2
    for width, height in ((side, side), (60_000, 60_000), (2**31 - 1, 2**31 - 1)):
        assert "too large" in reason(png(width, height, 1, 0, b""))
    bmp = bytearray(encoded(corners(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    assert "too large" in reason(bytes(bmp))
    gif = bytearray(encoded(corners(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    assert "too large" in reason(bytes(gif))


def test_large_but_allowed_images_are_read_without_a_warning() -> None:
    # 100 million pixels, over Pillow's own warning line; the missing rows show that decoding was begun.
    assert reason(png(10_000, 10_000, 1, 0, b"")).startswith(("truncated", "damaged"))


def test_our_limit_holds_when_somebody_has_lifted_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert "60000 x 60000" in reason(png(60_000, 60_000, 1, 0, b""))


def test_what_lies_there_is_no_readable_file(tmp_path: Path) -> None:
    for path, expected in ((tmp_path / "gone.jpg", "no such file"), (tmp_path, "it is a folder")):
        with pytest.raises(ImageError) as caught:
            read_image(path)
        assert caught.value.reason == expected
        assert str(path) in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        read_image(tmp_path / "pipe.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything may be read by this user")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(corners(), "PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="no permission"):
        read_image(path)


# Whatever comes in


SAMPLES = {name: encoded(corners(), name) for name in FORMATS if name != "DIB"}


def mode_or_reason(content: bytes) -> str:
    try:
        return read_image(content).mode
    except ImageError as error:
        return f"reason: {error.reason}"


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_give_an_image_or_a_reason_and_never_anything_else(
    format: str, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(SAMPLES[format])
    for place, value in changes:
        content[int(place * len(content))] = value
    answer = mode_or_reason(bytes(content))
    assert answer == "RGB" or (answer.startswith("reason: ") and len(answer) > 12 and "\n" not in answer)


def test_a_smaller_limit_of_pixels_is_kept_and_told() -> None:
    content = png(1000, 1000, 1, 0, b"")
    with pytest.raises(ImageError, match="too large: 1000 x 1000 pixels, more than 1 million"):
        read_image(content, most=999_999)
    small = encoded(corners(), "PNG")
    width, height = read_image(small).size
    assert read_image(small, most=width * height).size == (width, height)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_give_an_image_or_a_reason(content: bytes) -> None:
    assert mode_or_reason(content).startswith(("RGB", "reason: "))


def test_decoders_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for content in SAMPLES.values():
        for place in range(8, min(len(content), 600), 3):
            mode_or_reason(content[:place] + b"\xff" + content[place + 1 :])
    assert capfd.readouterr() == ("", "")


def test_many_threads_at_once() -> None:
    large = png(10_000, 9_000, 1, 0, b"")  # makes Pillow warn, which must stay quiet in every thread
    contents = [encoded(corners(), "JPEG", quality=95, subsampling=0)] * 40 + [large] * 4
    start = threading.Barrier(4)

    def read(content: bytes) -> str:
        with suppress(threading.BrokenBarrierError):
            start.wait(timeout=1)
            start.abort()  # only the first four wait for one another
        return mode_or_reason(content)[:6]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, contents)) == ["RGB"] * 40 + ["reason"] * 4
