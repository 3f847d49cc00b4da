"""Downloads published weights from the Hugging Face Hub or from a URL.

Files go into the cache folders of huggingface_hub and torch.hub, which timm, transformers and torchvision also use, so
nothing is downloaded twice. Nothing is unpickled here; `corolla.weights.reading` opens the files.
"""

import re
from functools import partial
from pathlib import Path

from corolla.errors import CorollaError, first_line
from corolla.inputs.download import download
from corolla.inputs.errors import InputError
from corolla.paths import AnyPath, word
from corolla.pretrained import run_folder
from corolla.progress import Progress
from corolla.run import Run
from corolla.weights import hub
from corolla.weights.reading import file_of, is_readable, read_settings
from corolla.weights.registry import Published, by_file, find, unknown

DIGEST = re.compile(r"-([0-9a-f]{8,64})\.")  # the start of the file's sha256, if its name contains one


def located(source: AnyPath, progress: Progress | None = None) -> tuple[Path, Published | None]:
    """The file or folder of `source`, downloaded if needed, and its entry in the registry.

    A local path always takes precedence; then the runs that come with corolla, the registry's names, and
    `hf-hub:OWNER/NAME` and `OWNER/NAME` on the Hub. Raises `CorollaError` if none of these matches or the download
    fails, with what to download by hand.
    """
    path, name = run_folder(source), word(source)
    if path.exists():
        return path, by_file(path.name)
    published = find(name)
    if published is not None:
        return fetch(published, progress), published
    repository = hub.repository_in(name)
    if repository is not None and (name.startswith(hub.PREFIX) or not path.parent.exists()):
        return hub.fetch(repository, name, progress), None
    if path.parent != Path() or is_readable(path):
        raise CorollaError(f"there are no weights at {path}")
    raise unknown(name)


def found(source: str | Path, progress: Progress | None = None) -> Path:
    """The path of `located`; also raises `CorollaError` for a run or a file that has no readable weights.

    Does not read the weights, so that errors are reported without importing torch.
    """
    path, _ = located(source, progress)
    if is_run(path):
        Run(path).check()
    else:
        file_of(path)
    return path


def is_run(path: Path) -> bool:
    """Whether `path` is a run folder."""
    return isinstance(read_settings(path / "config.json").get("architecture"), dict)


def fetch(published: Published, progress: Progress | None = None) -> Path:
    """The folder or file of a published checkpoint, from the cache or downloaded."""
    if published.on_hub:
        return hub.fetch(published.source, published.name, progress)
    return cached(published) or download_to_cache(published, progress)


def cached(published: Published) -> Path | None:
    """Its path if it is already on this machine, or None."""
    if published.on_hub:
        return hub.cached(published.source)
    file = place(published)
    return file if file.is_file() else None


def place(published: Published) -> Path:
    """The file in torch.hub's cache for its address."""
    import torch  # which knows its cache folder

    return Path(torch.hub.get_dir()) / "checkpoints" / published.source.rpartition("/")[2]


def download_to_cache(published: Published, progress: Progress | None) -> Path:
    """Download one address into torch.hub's cache; the file appears complete and verified, or not at all."""
    file, address = place(published), published.source
    if progress:
        progress.note(f"fetching {published.name} from {address}")
    digest = DIGEST.search(file.name)
    try:
        watch = partial(progress.stage, "downloading") if progress else None
        download(address, file, digest[1] if digest else "", watch)
    except (InputError, OSError) as error:
        raise CorollaError(
            f"cannot fetch {published.name} from {address}: {first_line(error)}; download it yourself and put it at "
            f"{file}, or give its path"
        ) from None
    return file
