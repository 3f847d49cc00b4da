"""Small JPEGs of images, cropped as for the model, to embed in a page."""

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from corolla.data.decoding import ImageError, read_image
from corolla.preprocessing import Preprocessing

SIDE = 208  # pixels of the shorter side: a tile of the gallery on a high-resolution screen
QUALITY = 78


@dataclass(frozen=True)
class Thumbnail:
    """A `data:` URL of a JPEG, or the reason why there is no image."""

    address: str = ""
    width: int = SIDE
    height: int = SIDE
    reason: str = ""


def thumbnails(paths: Sequence[Path], preprocessing: Preprocessing) -> list[Thumbnail]:
    """One for each path, made in threads; an unreadable image gets its reason."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda path: thumbnail(path, preprocessing), paths))


def thumbnail(path: Path, preprocessing: Preprocessing) -> Thumbnail:
    """The model's crop of one image."""
    size = size_of(preprocessing)
    try:
        image = read_image(path, draft=2 * SIDE)
    except ImageError as error:
        return Thumbnail(reason=error.reason)
    small = image.resize(size, Image.Resampling.BICUBIC, box=preprocessing.crop_box(*image.size))
    return Thumbnail(address_of(small), *size)


def size_of(preprocessing: Preprocessing) -> tuple[int, int]:
    """Width and height of a thumbnail of what the model sees, in pixels."""
    rows, columns = preprocessing.image_size
    scale = SIDE / min(rows, columns)
    return min(round(columns * scale), 4 * SIDE), min(round(rows * scale), 4 * SIDE)


def address_of(image: Image.Image) -> str:
    """The image as a `data:` URL of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
