"""The `flowers` data set: 3,670 real photographs of five kinds, all CC BY 2.0, from the TensorFlow examples.

`LICENSE.txt` in the folder names the photographer of each image; credit them wherever an image is shown.
The archive of 229 MB is downloaded once into the cache folder. If `COROLLA_DATA` names the folder
`flower_photos` or its parent, that folder is used and nothing is downloaded.
"""

import os
from functools import partial
from pathlib import Path

from corolla.cache import cache_folder, new_folder
from corolla.data.archives import untar
from corolla.data.progress import Progress
from corolla.errors import CorollaError
from corolla.inputs.download import complete
from corolla.inputs.errors import InputError
from corolla.paths import at

URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
SHA256 = "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c"
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")

_NAME = "flower_photos"


def available() -> Path | None:
    """The folder with the real photographs if it is already there, or None.

    Looks only in `COROLLA_DATA` if that is set, otherwise in the cache folder.
    """
    return _available(SHA256)


def fetch(progress: Progress | None = None, url: str = URL, sha256: str = SHA256) -> Path:
    """The folder with the real photographs, downloaded if they are not there yet.

    An interrupted download is resumed; the archive's sha256 is checked before it is unpacked, and the folder
    appears complete or not at all. Calls `progress("downloading", bytes, all bytes)`. Raises `CorollaError` if
    `COROLLA_DATA` names a folder without the photographs, or the download fails.
    """
    found = _available(sha256)
    if found:
        return found
    given = os.environ.get("COROLLA_DATA")
    if given:
        raise CorollaError(f"COROLLA_DATA names {given}, where there is no {_NAME} folder; correct it or unset it")
    target = _cached(sha256)
    archive = cache_folder() / "downloads" / f"{_NAME}-{sha256[:12]}.tgz.part"
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        complete(url, archive, sha256, partial(progress, "downloading") if progress else None)
        with new_folder(target) as unfinished:
            untar(archive, unfinished, progress)
        archive.unlink(missing_ok=True)
    except InputError as error:
        raise CorollaError(
            f"cannot download the flowers from {url}: {error.reason}; try again to continue, or unpack "
            "flower_photos.tgz yourself and set COROLLA_DATA to the folder with flower_photos in it; "
            "'painted' needs no network"
        ) from None
    except OSError as error:
        raise CorollaError(f"cannot store the flowers in {cache_folder()}: {error.strerror or error}") from None
    if not _has_classes(target / _NAME):
        raise CorollaError(f"{url} does not hold {_NAME}/ with {', '.join(CLASSES)}")
    return target / _NAME


def _available(sha256: str) -> Path | None:
    given = os.environ.get("COROLLA_DATA")
    places = [at(given) / _NAME, at(given)] if given else [_cached(sha256) / _NAME]
    return next((place for place in places if _has_classes(place)), None)


def _cached(sha256: str) -> Path:
    return cache_folder() / f"flowers-{sha256[:12]}"


def _has_classes(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in CLASSES)
