"""Frozen features of images, each computed once."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from corolla.cache import cache_folder
from corolla.checksummed import DamagedError, load_sealed, save_sealed
from corolla.data.decoding import read_image
from corolla.data.manifest import Example
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing

BATCH = 32

Extract = Callable[[Tensor], Tensor]  # from normalized images (B, 3, H, W) to features (B, C)
Tick = Callable[[int, int], None]


def image_features(
    root: Path,
    examples: Sequence[Example],
    extract: Extract,
    preprocessing: Preprocessing,
    device: torch.device | str,
    progress: Tick | None = None,
    key: str = "",
    views: int = 2,
) -> Tensor:
    """The features (images, views, C) of the images under `root`, float32, in their order.

    Two views are the image and its horizontal flip, one view is the image. With `key`, which should identify the
    network's weights, the features are cached and reused as long as images and preprocessing are the same; an
    interrupted call caches what it has computed.
    """
    paths, file = [root / example.path for example in examples], cache_file(examples, preprocessing, key, views)
    if file is None:
        return compute_features(paths, extract, preprocessing, device, progress, views)
    found, part = read_cached(file), file.with_name(f"{file.stem}-part{file.suffix}")
    if found is not None and len(found) == len(paths):
        return found
    begun = read_cached(part)
    rows = [] if begun is None or len(begun) % BATCH else [begun]  # the same batches, and so the same last bits
    try:
        features = compute_features(paths, extract, preprocessing, device, progress, views, rows)
    except BaseException:
        with suppress(OSError):
            if whole := [row for row in rows if len(row) % BATCH == 0]:
                save_sealed({"features": torch.cat(whole)}, part)
        raise
    with suppress(OSError):  # a cache that cannot be written costs only time
        save_sealed({"features": features}, file)
        part.unlink(missing_ok=True)
    return features


def read_cached(file: Path) -> Tensor | None:
    """The features in a file of the cache; None if it is missing or not complete."""
    try:
        kept: Tensor = load_sealed(file)[0]["features"]
    except (OSError, DamagedError, KeyError):
        return None
    return kept


def cache_file(examples: Sequence[Example], preprocessing: Preprocessing, key: str, views: int = 2) -> Path | None:
    """The cache file of these features; None without `key`, or if an image's hash is not known."""
    if not key or not all(example.sha256 for example in examples):
        return None
    said = [key, json.dumps(preprocessing.to_json(), sort_keys=True), *(example.sha256 for example in examples)]
    if views != 2:
        said.append(f"{views} views")
    return cache_folder() / "features" / f"{hashlib.sha256('/'.join(said).encode()).hexdigest()[:32]}.safetensors"


@torch.inference_mode()
def compute_features(
    paths: Sequence[Path],
    extract: Extract,
    preprocessing: Preprocessing,
    device: torch.device | str,
    progress: Tick | None = None,
    views: int = 2,
    rows: list[Tensor] | None = None,
) -> Tensor:
    """The features (images, views, C) of the images at `paths` and, with two views, of their horizontal flips.

    `rows` are the features of the first images, which exist already; new batches are appended to it.
    """
    rows = [] if rows is None else rows
    first = sum(map(len, rows))
    with ThreadPoolExecutor(4) as pool:
        read = lambda path: torch.from_numpy(preprocessing.pixels(read_image(path))).permute(2, 0, 1)  # noqa: E731
        ahead = pool.map(read, paths[first : first + BATCH])
        for start in range(first, len(paths), BATCH):
            pixels = torch.stack(list(ahead))
            ahead = pool.map(read, paths[start + BATCH : start + 2 * BATCH])
            images = preprocessing.normalize(pixels.to(device))
            seen = [extract(view).float().cpu() for view in (images, images.flip(-1))[:views]]
            rows.append(torch.stack(seen, dim=1))
            if progress:
                progress(min(start + BATCH, len(paths)), len(paths))
    return torch.cat(rows)


def digest(network: nn.Module) -> str:
    """A hash of what a network computes: equal for equal tensors in equal architectures."""
    whole = hashlib.sha256()
    for module in network.modules():
        if isinstance(module, ViT):  # no tensor holds the number of heads, rotary positions and pooling
            whole.update(repr(replace(module.config, drop_path=0.0)).encode())
    for name, tensor in network.state_dict().items():
        whole.update(name.encode())
        whole.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return whole.hexdigest()
