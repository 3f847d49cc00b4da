"""Images with more than 8 bits a channel: which value is white, and when hardly any of the range is used.

What a file says of itself decides for that file: how many bits its values have, and whether zero is white, as in many
scans. An image is never stretched to the values that happen to be in it: dark and light images would come out alike,
and the same thing in two images different. Values of 12 bits in a file that says 16 are therefore read as dark as
every viewer shows them, and a line says so where a whole set is like that.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from corolla.text import count

WHITE = 65535  # of 16 bits
DIM = 14  # bits: a set that never uses the other two is darker than a quarter of what it should be
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
_LARGEST = (341, 281)  # SMaxSampleValue, MaxSampleValue
_DEPTHS = range(9, 16)  # bits that cameras and scanners have, and that no file has room for but one of 16


def is_deep_gray(image: Image.Image) -> bool:
    """Whether an image is gray in more than 8 bits, which Pillow's own `convert` would clip to white."""
    return image.mode.startswith(("I", "F"))


def is_signed(image: Image.Image) -> bool:
    """Whether 8-bit values go from -128 to 127, which Pillow takes for 0 to 255: black comes out gray."""
    return image.mode == "L" and 2 in _tag(image, _SAMPLE_FORMAT)


def from_deep_gray(image: Image.Image) -> tuple[Image.Image, int]:
    """Grays of more than 8 bits as 8, and how many bits the largest value takes, 0 where the file says its depth.

    ValueError, with the kind of number, for values without an agreed black and white.
    """
    gray = np.asarray(image)
    if gray.dtype.kind == "f" or gray.min() < 0 or gray.max() > WHITE:
        raise ValueError(str(gray.dtype))
    largest = int(gray.max())
    white = declared_white(image, largest)
    scaled = (gray.astype(np.uint32) * 255 + white // 2) // white  # to the nearest
    if 0 in _tag(image, _PHOTOMETRIC):  # Pillow does this for 8 bits and not for 16
        scaled = 255 - scaled
    clear = image.info.get("transparency")  # one value that stands for "nothing here"
    if isinstance(clear, int):
        scaled = np.where(gray == clear, np.uint32(255), scaled)
    return Image.fromarray(scaled.astype(np.uint8)), max(largest.bit_length(), 8) if white == WHITE else 0


def declared_white(image: Image.Image, largest: int) -> int:
    """The value of the full range: that of the bits a TIFF says it has, or of its largest value if that is all bits.

    A largest value of any other kind is what one image happens to hold, and says nothing of the range.
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
    """Whether an image that is not loaded yet holds 16 bits of each color, of which Pillow keeps the upper eight."""
    known = [tile[3] for tile in getattr(image, "tile", ()) if tile[3]]
    modes = [said if isinstance(said, str) else said[0] for said in known]
    return any(isinstance(mode, str) and ";16" in mode for mode in modes) and not is_deep_gray(image)


def color_bits(image: Image.Image) -> int:
    """How many of 16 bits the largest value of a loaded image takes, by the upper eight; 8 or fewer are 8."""
    largest = max(band.getextrema()[1] for band in image.split()[:3])
    assert isinstance(largest, int | float)  # of a single band
    return 8 + int(largest).bit_length()


def note_on(bits: Sequence[int]) -> str:
    """A line about a set whose files of 16 bits use few of them; "" if there is nothing to say.

    `bits` has how many the largest value of each image takes, 0 for images of 8 bits.
    """
    deep = [number for number in bits if number]
    most = max(deep, default=16)
    if most > DIM:
        return ""
    are = "holds" if len(deep) == 1 else "hold"
    return (
        f"{count(len(deep), 'image')} of {len(bits):,} {are} 16 bits a channel and no value above {2**most - 1:,} of "
        f"{WHITE:,}: read on that scale, as viewers show them, they are nearly black; if {most} bits are all that they "
        f"should have, multiply the values by {2 ** (16 - most)} and save them again"
    )


def _tag(image: Image.Image, number: int) -> tuple[int, ...]:
    """The values of a TIFF's tag, none of another image's; a Pillow image has them as long as it is that file's."""
    value = getattr(image, "tag_v2", {}).get(number, ())
    return tuple(value) if isinstance(value, tuple | list) else (value,)
