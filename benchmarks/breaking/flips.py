"""One bit flipped in a file of corolla: it is refused or rebuilt, and never leads to a wrong number."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from breaking.disks import killed_after
from breaking.setting import Setting, Tally
from corolla.bench.images import cache_at
from corolla.checksummed import DamagedError, load_sealed
from corolla.data.checking import check
from corolla.data.decoded_cache import cache_decoded
from corolla.data.manifest import Manifest
from corolla.errors import CorollaError
from corolla.features.extraction import image_features
from corolla.preprocessing import Preprocessing
from corolla.run import Run
from corolla.uncertainty.calibration import Calibration

HEAD = 0.5  # fraction of flips in the first bytes, which have names, types and checksums
HEAD_BYTES = 2048


@dataclass
class Flips:
    """A row of the table: how many bits of a file were flipped, and the results."""

    file: str
    tried: int = 0
    refused: int = 0  # in one line
    again: int = 0  # rebuilt, with exactly the same result
    harmless: int = 0  # read normally, with exactly the same result
    wrong: int = 0  # another result
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether no flipped bit led to a wrong number."""
        return self.tried > 0 and self.wrong == 0 and self.tried == self.refused + self.again + self.harmless

    def row(self) -> str:
        """As a line of Markdown."""
        counts = (self.tried, self.refused, self.again, self.harmless, self.wrong)
        return f"| {self.file} | {' | '.join(f'{count:,}' for count in counts)} | {self.seconds:.0f} |"


def flipped(content: bytes, dice: random.Random) -> bytes:
    """The same bytes with one bit flipped."""
    place = dice.randrange(min(HEAD_BYTES, len(content)) if dice.random() < HEAD else len(content))
    return content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]


def flip_bits(
    name: str, files: list[Path], dice: random.Random, tries: int, read: Callable[[], tuple[Any, bool]]
) -> Flips:
    """Flip a bit of one of `files` and call `read`, `tries` times; the files are restored after each try.

    `read` returns the content as plain values, and whether it was rebuilt.
    """
    counts, started = Flips(name), time.monotonic()
    whole = {file: file.read_bytes() for file in files}
    expected, _ = read()
    for number in range(tries):
        file = files[number % len(files)]
        file.write_bytes(flipped(whole[file], dice))
        counts.tried += 1
        try:
            found, again = read()
            if not equal(found, expected):
                counts.wrong += 1
            elif again:
                counts.again += 1
            else:
                counts.harmless += 1
        except (CorollaError, DamagedError) as error:
            counts.refused += "\n" not in str(error)
        for path, content in whole.items():
            path.write_bytes(content)
    counts.seconds = time.monotonic() - started
    return counts


def equal(one: Any, other: Any) -> bool:
    """Whether two nested structures of dictionaries, lists, tensors, arrays and values are bit-identical."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


def flip_in_runs(setting: Setting, tries: int) -> list[Flips]:
    """Weights, calibration and checkpoint."""
    run, killed = Run(setting.copy_of_unbroken()), Run(killed_after(setting, 3))
    dice = setting.dice

    def weights() -> tuple[Any, bool]:
        return run.load_model()[0].state_dict(), False

    config = run.load_config()
    sizes = (len(config.classes), config.architecture.embed_dim, config.architecture.embed_dim)

    def calibration() -> tuple[Any, bool]:
        found = Calibration.load(run.calibration, sizes)
        assert found is not None
        gaussians = [score.gaussians for score in found.ood_detector.scores]
        arrays = [[g.means, g.whitening] for g in gaussians if g is not None]
        scales = [repr(score.scale) for score in found.ood_detector.scores]
        promised = [found.conformal.n, found.conformal.ranks, found.conformal.scores]
        return [found.temperature, promised, arrays, scales, repr(found.ood_detector.scale), found.facts], False

    def checkpoint() -> tuple[Any, bool]:
        return load_sealed(killed.checkpoint), False

    return [
        flip_bits("`model.safetensors`", [run.weights], dice, tries, weights),
        flip_bits("`calibration.safetensors`", [run.calibration], dice, tries, calibration),
        flip_bits("`checkpoint.safetensors`", [killed.checkpoint], dice, tries, checkpoint),
    ]


def flip_in_caches(setting: Setting, tries: int) -> list[Flips]:
    """Decoded images, features of frozen networks, cached file checks."""
    manifest = Manifest.load(Run(setting.unbroken).manifest_file, setting.images)
    examples = manifest.examples[:40]
    paths, hashes = [manifest.locate(example) for example in examples], [example.sha256 for example in examples]
    cache, dice, asked = setting.new("cache"), setting.dice, [0]

    def images() -> tuple[Any, bool]:
        notes: list[str] = []
        kept = cache_decoded(paths, hashes, 24, note=notes.append)
        return [kept[number].copy() for number in range(len(kept))], bool(notes)

    def extract(images: torch.Tensor) -> torch.Tensor:
        asked[0] += 1
        return images.mean(dim=(2, 3))

    def features() -> tuple[Any, bool]:
        before = asked[0]
        found = image_features(manifest.root, examples, extract, Preprocessing((16, 16)), "cpu", key="a network")
        return found.clone(), asked[0] > before  # cloned, because it maps the file, which is overwritten here

    def looked_at() -> tuple[Any, bool]:
        (file,) = (cache / "checked").iterdir()
        before = file.read_bytes()
        checked = check(manifest.root, examples)
        return [checked.examples, list(checked.fingerprints)], file.read_bytes() != before

    def files(name: str) -> list[Path]:
        return sorted(path for path in (cache / name).rglob("*") if path.is_file())

    with cache_at(cache):
        images()
        features()
        check(manifest.root, examples)
        return [
            flip_bits("decoded images", files("pixels"), dice, tries, images),
            flip_bits("features of a frozen network", files("features"), dice, tries, features),
            flip_bits("cached checks of the image files", files("checked"), dice, tries, looked_at),
        ]


def resume_from_a_damaged_checkpoint(setting: Setting, tries: int) -> Tally:
    """Flip a bit of a killed training's checkpoint: `--resume` refuses it in one line; delete it and resume."""
    tally = Tally("a bit of the checkpoint flipped, `--resume`, checkpoint deleted, `--resume`")
    for _ in range(tries):
        run = Run(killed_after(setting, setting.dice.randint(2, 5)))
        run.checkpoint.write_bytes(flipped(run.checkpoint.read_bytes(), setting.dice))
        ended = setting.resume(run.folder)
        run.checkpoint.unlink()
        again = setting.resume(run.folder)
        told = ended.status == 2 and ended.orderly and "checkpoint.safetensors" in ended.last
        tally.count(told and again.status == 0, setting.differences(run.folder), ended.err + again.err)
    return tally
