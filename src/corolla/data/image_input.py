"""The types that the Python API accepts as an image, and how each becomes pixels."""

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.data.decoding import ImageError, read_image
from corolla.paths import AnyPath, at

# A function returns the bytes when the image is needed, or raises `ImageError`.
Binary = bytes | bytearray | memoryview
ImageInput = AnyPath | Binary | BinaryIO | Image.Image | NDArray[Any] | Callable[[], bytes]
MAY_BE = (
    "a path, bytes, an open file, a Pillow image, a NumPy array of uint8 with the shape (H, W, 3), (H, W, 4) or (H, W)"
)


def read_given(image: ImageInput) -> Image.Image:
    """The image as RGB, converted as `read_image` converts a file.

    An array (H, W, 3) is RGB, (H, W, 4) is RGBA and is shown on white, (H, W) is grayscale.
    Raises `ImageError`, which lists the accepted types if `image` has another one.
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
    """The type in words, with a hint how to convert it if there is one."""
    if thing is None:
        return "None"
    kind = type(thing)
    if kind.__module__.partition(".")[0] == "torch" and hasattr(thing, "numpy"):  # without importing torch
        return "a torch tensor (use tensor.permute(1, 2, 0).numpy(), with values from 0 to 255 as uint8)"
    return f"a {kind.__name__}"
