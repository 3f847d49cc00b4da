"""Images with more than 8 bits per channel: which value is white, and when most of the range is unused.

The metadata of each file decides how many bits its values have, and whether zero is white, as in many scans. An image
is never stretched to its own minimum and maximum: dark and light images would look alike, and the same object would
differ between two images. So 12-bit values in a file that states 16 bits are read as dark as every viewer shows them,
and a note is printed if the whole set is like that.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from corolla.text import count

WHITE = 65535  # of 16 bits
DIM = 14  # bits: a set that never uses the upper two has less than a quarter of the full brightness
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
_LARGEST = (341, 281)  # SMaxSampleValue, MaxSampleValue
_DEPTHS = range(9, 16)  # bit depths of cameras and scanners, which are stored in 16-bit files


def is_deep_gray(image: Image.Image) -> bool:
    """Whether an image is grayscale of more than 8 bits, which Pillow's `convert` would clip to white."""
    return image.mode.startswith(("I", "F"))


def is_signed(image: Image.Image) -> bool:
    """Whether 8-bit values are signed (-128 to 127); Pillow reads them as 0 to 255, which makes black gray."""
    return image.mode == "L" and 2 in _tag(image, _SAMPLE_FORMAT)


def from_deep_gray(image: Image.Image) -> tuple[Image.Image, int]:
    """Convert grayscale of more than 8 bits to 8; also how many bits the largest value needs, 0 if the file states it.

    Raises ValueError, with the number type, for values without a defined black and white.
    """
    gray = np.asarray(image)
    if gray.dtype.kind == "f" or gray.min() < 0 or gray.max() > WHITE:
        raise ValueError(str(gray.dtype))
    largest = int(gray.max())
    white = declared_white(image, largest)
    scaled = (gray.astype(np.uint32) * 255 + white // 2) // white  # rounded to nearest
    if 0 in _tag(image, _PHOTOMETRIC):  # Pillow does this for 8 bits and not for 16
        scaled = 255 - scaled
    clear = image.info.get("transparency")  # one value that stands for "nothing here"
    if isinstance(clear, int):
        scaled = np.where(gray == clear, np.uint32(255), scaled)
    return Image.fromarray(scaled.astype(np.uint8)), max(largest.bit_length(), 8) if white == WHITE else 0


def declared_white(image: Image.Image, largest: int) -> int:
    """The value of white: from a TIFF's bits per sample, or from its MaxSampleValue tag if that has all bits set.

    Any other MaxSampleValue is just the maximum of one image and does not define the range.
    """
    bits = next(iter(_tag(image, _BITS)), 16)
    if bits in _DEPTHS:
        return int(2**bits - 1)
    for tag in _LARGEST:
        for value in _tag(image, tag):
            if value >= largest and value in {2**bits - 1 for bits in _DEPTHS}:
                return int(value)
    return WHITE


def deep_color(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet has 16 bits per color channel, of which Pillow keeps the upper eight."""
    known = [tile[3] for tile in getattr(image, "tile", ()) if tile[3]]
    modes = [said if isinstance(said, str) else said[0] for said in known]
    return any(isinstance(mode, str) and ";16" in mode for mode in modes) and not is_deep_gray(image)


def color_bits(image: Image.Image) -> int:
    """How many of 16 bits the largest value of a loaded image needs, judged by the upper eight; at least 8."""
    largest = max(band.getextrema()[1] for band in image.split()[:3])
    assert isinstance(largest, int | float)  # of a single band
    return 8 + int(largest).bit_length()


def note_on(bits: Sequence[int]) -> str:
    """A note for a set whose 16-bit files use few of these bits; "" if there is nothing to report.

    `bits` has, for each image, how many its largest value needs, 0 for 8-bit images.
    """
    deep = [number for number in bits if number]
    most = max(deep, default=16)
    if most > DIM:
        return ""
    are = "holds" if len(deep) == 1 else "hold"
    return (
        f"{count(len(deep), 'image')} of {len(bits):,} {are} 16 bits per channel and no value above {2**most - 1:,} of "
        f"{WHITE:,}, and look nearly black here and in every viewer; if their depth is {most} bits, "
        f"multiply the values by {2 ** (16 - most)} and save them again"
    )


def _tag(image: Image.Image, number: int) -> tuple[int, ...]:
    """The values of a TIFF tag, () for other formats; a Pillow image has tags only as long as it is the file's own."""
    value = getattr(image, "tag_v2", {}).get(number, ())
    return tuple(value) if isinstance(value, tuple | list) else (value,)
