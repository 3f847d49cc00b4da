"""What a Python program may hand over as an image, beside the path of one, and how each becomes pixels."""

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.data.decoding import ImageError, read_image
from corolla.paths import AnyPath, at

# A function gives the bytes when the image's turn comes, or raises `ImageError`.
Binary = bytes | bytearray | memoryview
ImageInput = AnyPath | Binary | BinaryIO | Image.Image | NDArray[Any] | Callable[[], bytes]
MAY_BE = (
    "a path, bytes, an open file, a Pillow image, a NumPy array of uint8 with the shape (H, W, 3), (H, W, 4) or (H, W)"
)


def read_given(image: ImageInput) -> Image.Image:
    """The image as RGB, as `read_image` reads the file that it would be.

    An array (H, W, 3) is red, green, blue; (H, W, 4) has opacity beside them and lies on white; (H, W) is gray.
    Raises `ImageError`, which for what is no image says what may be given.
    """
    if isinstance(image, np.ndarray):
        return read_image(from_array(image))
    if isinstance(image, (Image.Image, bytes)):
        return read_image(image)
    if isinstance(image, (bytearray, memoryview)):
        return read_image(bytes(image))
    if isinstance(image, (str, os.PathLike)):
        return read_image(at(image))
    if not isinstance(image, type):
        if callable(image):
            return read_image(image())
        if hasattr(image, "read"):
            return read_image(image)
    raise ImageError(f"{kind_of(image)} is not an image; give {MAY_BE}")


def from_array(array: NDArray[Any]) -> Image.Image:
    """The Pillow image of uint8 pixels (H, W, 3), (H, W, 4) or (H, W); `ImageError` for other arrays."""
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and channels not in (3, 4)):
        shape = " x ".join(str(side) for side in array.shape) or "a single number"
        hint = "; give several images as a list" if array.ndim == 4 else ""
        raise ImageError(
            f"an array of {array.dtype}, {shape}, is not an image; give uint8 (H, W, 3), (H, W, 4) or (H, W){hint}"
        )
    if not array.size:
        raise ImageError("it has no pixels")
    return Image.fromarray(np.ascontiguousarray(array))


def kind_of(thing: object) -> str:
    """What it is, in words, with what to do where that is known."""
    if thing is None:
        return "None"
    kind = type(thing)
    if kind.__module__.partition(".")[0] == "torch" and hasattr(thing, "numpy"):  # torch is not loaded for a file
        return "a torch tensor (use tensor.permute(1, 2, 0).numpy(), with values from 0 to 255 as uint8)"
    return f"a {kind.__name__}"
