"""An image in memory is read as its file would be: one decoding, whatever a program hands over."""

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from corolla.data.decoding import FORMATS, ImageError, read_image
from corolla.data.image_input import MAY_BE, read_given

# Smooth colors, and corners that no two orientations share.
ROWS, COLUMNS = np.mgrid[0:40, 0:64]
PIXELS = np.stack([ROWS * 6, COLUMNS * 4, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)
RGB = Image.fromarray(PIXELS)
ALPHA = Image.fromarray((COLUMNS * 4).astype(np.uint8))


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.mode == other.mode == "RGB" and np.array_equal(np.asarray(one), np.asarray(other))


def opaque(mode: str) -> Image.Image:
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        made = ImageCms.applyTransform(RGB, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
        assert made is not None
        return made
    if mode in ("I", "I;16"):
        return Image.fromarray((ROWS * 1600).astype(np.int32 if mode == "I" else np.uint16))
    return RGB.convert(mode)


def transparent(mode: str) -> Image.Image:
    image = RGB.convert("LA" if mode in ("LA", "La") else "P" if mode == "PA" else "RGBA")
    if mode == "PA":
        image = image.convert("PA")
    image.putalpha(ALPHA)
    return image if image.mode == mode else image.convert(mode)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", [name for name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF") if name in FORMATS])
def test_an_opened_photo_is_turned_as_its_file_is(format: str, orientation: int, tmp_path: Path) -> None:
    exif, file = Image.Exif(), tmp_path / "phone"
    exif[0x0112] = orientation
    RGB.save(file, format, exif=exif)
    expected = read_image(file)
    assert expected.size == ((40, 64) if orientation >= 5 else (64, 40))
    with Image.open(file) as image:
        assert same(read_given(image), expected)
        assert same(read_given(image), expected)  # it is not turned twice, nor is its tag lost
    with Image.open(file) as image:
        assert same(read_given(image.copy()), expected)


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("LAB", "TIFF"), ("I", "TIFF"), ("I;16", "TIFF"),
        ("I;16", "PNG"), ("1", "PNG"), ("L", "PNG"), ("L", "JPEG"), ("P", "PNG"), ("P", "GIF"), ("RGB", "BMP"),
    ],
)  # fmt: skip
def test_an_opened_image_of_any_mode_is_read_as_its_file_is(mode: str, format: str, tmp_path: Path) -> None:
    file = tmp_path / "image"
    opaque(mode).save(file, format)
    expected = read_image(file)
    assert np.ptp(np.asarray(expected)) > 100  # the reading has something to say
    with Image.open(file) as image:
        assert same(read_given(image), expected)


@pytest.mark.parametrize("mode", ["RGBX", "HSV", "YCbCr", "LAB"])
def test_modes_that_no_file_holds_are_read_by_their_colors(mode: str) -> None:
    image = opaque(mode)
    assert image.mode == mode
    read = np.asarray(read_given(image), np.int16)
    assert np.abs(read - PIXELS).mean() < 4  # what the colors lose in that mode, whose gamut may be smaller


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_transparency_lies_on_white(mode: str, tmp_path: Path) -> None:
    image, file = transparent(mode), tmp_path / "image.png"
    assert image.mode == mode
    read = np.asarray(read_given(image), np.int16)
    share = np.asarray(ALPHA, np.float64)[..., None] / 255
    colors = np.asarray(RGB.convert(mode.rstrip("Aa")).convert("RGB"))
    np.testing.assert_allclose(read, colors * share + 255 * (1 - share), atol=3)
    if mode in ("RGBA", "LA"):
        image.save(file)
        assert same(read_given(image), read_image(file))


def test_a_palette_with_transparency_is_read_as_its_file_is(tmp_path: Path) -> None:
    RGB.convert("P").save(tmp_path / "a.png", transparency=3)
    RGB.quantize(16).save(tmp_path / "b.png", transparency=bytes(range(0, 256, 16)))
    RGB.convert("L").save(tmp_path / "c.png", transparency=60)
    for file in sorted(tmp_path.iterdir()):
        with Image.open(file) as image:
            assert "transparency" in image.info
            assert same(read_given(image), read_image(file))


def test_floats_are_refused_as_their_file_is(tmp_path: Path) -> None:
    RGB.convert("F").save(tmp_path / "image.tif")
    with pytest.raises(ImageError) as by_path:
        read_image(tmp_path / "image.tif")
    with pytest.raises(ImageError) as in_memory:
        read_given(RGB.convert("F"))
    assert in_memory.value.reason == by_path.value.reason
    assert "no agreed black and white" in in_memory.value.reason


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_shows_its_first_frame_unless_another_was_sought(format: str, tmp_path: Path) -> None:
    file, second = tmp_path / "moving", RGB.transpose(Image.Transpose.ROTATE_180)
    RGB.save(file, format, save_all=True, append_images=[second], **({"lossless": True} if format == "WEBP" else {}))
    with Image.open(file) as image:
        assert same(read_given(image), read_image(file))
        image.seek(1)
        shown = np.asarray(read_given(image), np.int16)
        assert np.abs(shown - np.asarray(second, np.int16)).mean() < 10
        assert image.tell() == 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "La"])
def test_the_given_image_stays_as_it_is(mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = transparent(mode) if mode in ("RGBA", "La") else opaque(mode)
    image.info["exif"] = exif.tobytes()
    before = image.mode, image.size, dict(image.info), image.tobytes()
    assert read_given(image).size == (40, 64)
    assert (image.mode, image.size, dict(image.info), image.tobytes()) == before


def test_one_image_may_be_given_to_many_threads(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    RGB.resize((900, 700)).save(file, quality=95)
    expected, content = read_image(file), io.BytesIO(file.read_bytes())
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            image = Image.open(file)  # nothing of it is decoded yet
            assert all(same(read, expected) for read in pool.map(read_given, [image] * 8))
        assert all(same(read, expected) for read in pool.map(read_given, [content] * 16))


def test_what_was_closed_before_it_was_decoded_says_so(tmp_path: Path) -> None:
    RGB.save(tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as image:
        pass
    with (tmp_path / "photo.png").open("rb") as file:
        pass
    for closed in (image, file):
        with pytest.raises(ImageError, match="its file was closed before it was decoded"):
            read_given(closed)


# Arrays


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (PIXELS, RGB),
        (np.asfortranarray(PIXELS), RGB),
        (np.concatenate([PIXELS, PIXELS], axis=1)[:, ::2][:, :32], Image.fromarray(PIXELS[:, ::2])),
        (PIXELS[..., 0], Image.fromarray(PIXELS[..., 0]).convert("RGB")),
        (np.dstack([PIXELS, np.full((40, 64), 255, np.uint8)]), RGB),
        (np.dstack([PIXELS, np.zeros((40, 64), np.uint8)]), Image.new("RGB", (64, 40), "white")),
    ],
    ids=["RGB", "Fortran order", "a part of another", "gray", "opaque", "clear"],
)
def test_arrays_of_pixels_are_images(array: np.ndarray, expected: Image.Image) -> None:
    before = array.copy()
    assert same(read_given(array), expected)
    assert np.array_equal(array, before)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (PIXELS.astype(np.float32) / 255, "an array of float32, 40 x 64 x 3, is not an image; give uint8 (H, W, 3)"),
        (PIXELS.astype(np.int64), "an array of int64"),
        (PIXELS.transpose(2, 0, 1), "an array of uint8, 3 x 40 x 64, is not an image"),
        (PIXELS[None], "1 x 40 x 64 x 3, is not an image; give uint8 (H, W, 3), (H, W, 4) or (H, W); give several"),
        (np.array(3, np.uint8), "a single number"),
        (np.zeros((0, 4, 3), np.uint8), "it has no pixels"),
        (np.array(["a.jpg"]), "an array of <U5, 1, is not an image"),
    ],
    ids=lambda value: None if isinstance(value, str) else f"{value.dtype} {value.shape}",
)
def test_other_arrays_say_what_may_be_given(array: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_given(array)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("thing", "called"),
    [
        (None, "None is not an image"), (3, "a int is not an image"), ({}, "a dict is not an image"),
        ([], "a list is not an image"), (iter([]), "a list_iterator is not an image"), (Image.Image, "a type is"),
        (torch.zeros(3, 4, 4), "a torch tensor (use tensor.permute(1, 2, 0).numpy()"), (object(), "a object is not"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_image_is_told_what_may_be_given(thing: object, called: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_given(thing)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"cannot read the image: {called}")
    assert MAY_BE in str(caught.value)
    assert "\n" not in str(caught.value)


# Files and bytes


def test_every_kind_of_bytes_and_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    RGB.save(path)
    content = path.read_bytes()

    class Somewhere:  # as other libraries' paths are
        def __fspath__(self) -> str:
            return str(path)

    for given in (str(path), Somewhere(), content, bytearray(content), memoryview(content), lambda: content):
        assert same(read_given(given), RGB)
    with path.open("rb") as file:
        file.read()
        assert same(read_given(file), RGB)  # a file that was read already is read again
        assert same(read_given(file), RGB)
    with TemporaryFile() as file:
        RGB.save(file, "PNG")
        assert same(read_given(file), RGB)
    with pytest.raises(ImageError, match="open as text; open it with mode 'rb'"), io.StringIO("text") as words:
        read_given(words)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="pipes differ")
def test_a_pipe_is_read_from_where_it_stands(tmp_path: Path) -> None:
    RGB.save(tmp_path / "photo.png")
    words = [sys.executable, "-c", "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer)"]
    with subprocess.Popen([*words, str(tmp_path / "photo.png")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert same(read_given(process.stdout), RGB)
