"""The `flowers` data set: 3,670 real photographs of five kinds, all CC BY 2.0, from the TensorFlow examples.

`LICENSE.txt` in the folder names the photographer of each image; credit them wherever an image is shown.
The archive of 229 MB is downloaded once into the cache folder. If `COROLLA_DATA` names the folder
`flower_photos` or its parent, that folder is used and nothing is downloaded.
"""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from corolla.cache import cache_folder, new_folder, sha256_of
from corolla.data.archives import untar
from corolla.data.progress import Progress
from corolla.errors import CorollaError
from corolla.paths import at

URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
SHA256 = "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c"
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")

_NAME = "flower_photos"
_TIMEOUT = 30  # seconds without a byte
_ATTEMPTS = 4  # connections; each resumes where the previous one stopped


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
        _download(url, sha256, archive, progress)
        with new_folder(target) as unfinished:
            untar(archive, unfinished, progress)
        archive.unlink(missing_ok=True)
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


def _download(url: str, sha256: str, part: Path, progress: Progress | None) -> None:
    """Complete `part` to the whole archive; resumes an earlier attempt."""
    trouble = ""
    for _ in range(_ATTEMPTS):
        begun = part.stat().st_size if part.exists() else 0
        if begun and sha256_of(part) == sha256:
            return
        try:
            complete = _continue(url, part, begun, progress)
        except urllib.error.HTTPError as error:
            with error:
                trouble = f"the server answers {error.code} {error.reason}"
            if error.code != 416:
                break
            part.unlink()  # the server has no bytes after this point: our part is not the start of its file
            continue
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            trouble = str(getattr(error, "reason", None) or error or type(error).__name__)
            continue
        if not complete:
            trouble = "the connection was cut"
        elif sha256_of(part) != sha256:
            trouble = "the file does not have the expected sha256"
            part.unlink()
            if not begun:
                break
        else:
            return
    raise CorollaError(
        f"cannot download the flowers from {url}: {trouble}; try again to continue, or unpack "
        "flower_photos.tgz yourself and set COROLLA_DATA to the folder with flower_photos in it; "
        "'painted' needs no network"
    )


def _continue(url: str, part: Path, begun: int, progress: Progress | None) -> bool:
    """Download from byte `begun` on; True if the file is complete according to the server."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        done = begun if response.status == 206 else 0  # 200: the server does not support ranges and sends everything
        length = response.headers.get("Content-Length")
        whole = done + int(length) if length and length.isdecimal() else 0
        with part.open("ab" if done else "wb") as file:
            while piece := response.read(1 << 18):
                file.write(piece)
                done += len(piece)
                if progress:
                    progress("downloading", done, whole)
    return whole in (0, done)
