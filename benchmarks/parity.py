"""Differences between our outputs and those of the libraries, in both directions, for every checkpoint format.

    python benchmarks/parity.py
    python benchmarks/parity.py IMAGES

"In" compares a library's model with ours after loading its weights; "out" compares ours with the library's model loaded
from what we wrote. Each number is the largest difference of a logit (of a feature, if there is no head) as a fraction
of the largest, the worst of two batches of four: random numbers and images. Images come from a folder, or are painted.
The models are small and have random weights, except one of full size; float32 rounding is about 1e-7.
"""

import argparse
import platform
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
import torchvision
import transformers
from PIL import Image
from torch import Tensor, nn

from corolla.data.decoding import read_image
from corolla.painted import KINDS, paint
from corolla.preprocessing import Preprocessing
from corolla.weights import Weights, load_weights, write_weights
from references import BRIDGED, REFERENCES, SIZES, Reference, asked, error, hybrid, ours, save_pth, shaken, timm_again

BATCH = 4
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
SHOWN_SIZES = ("native", "wider")
FULL = Reference("timm", lambda: shaken(timm.create_model("vit_base_patch16_224", dynamic_img_size=True)), save_pth,
                 timm_again)  # fmt: skip


def images(folder: Path | None) -> list[Image.Image]:
    """A few images of a folder and its subfolders, or painted ones."""
    if folder is None:
        return [paint(kind, 0, 256) for kind in KINDS[:BATCH]]
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
    return [read_image(file) for file in files[:: max(len(files) // BATCH, 1)][:BATCH]]


def batches(size: tuple[int, int], real: list[Image.Image]) -> Iterable[Tensor]:
    """Random numbers and preprocessed images, (B, 3, H, W) each."""
    yield torch.randn(BATCH, 3, *size, generator=torch.Generator().manual_seed(0))
    yield torch.stack([Preprocessing(size)(image) for image in real])


def worst(
    size: tuple[int, int],
    real: list[Image.Image],
    found: Callable[[Tensor], Tensor],
    expected: Callable[[Tensor], Tensor],
) -> float:
    """The larger error of the two batches."""
    return max(error(found(images), expected(images)) for images in batches(size, real))


def shown(share: float) -> str:
    """An error in the format of the table."""
    return f"{share:.0e}" if share else "0"


def row(name: str, sizes: dict[str, tuple[int, int]], found: list[str]) -> None:
    """One line of the table."""
    asked_with = ", ".join(f"{width} x {height}" for height, width in sizes.values())
    print(f"| {name} | {asked_with} | {' | '.join(found)} |", flush=True)


def compare(name: str, reference: Reference, sizes: dict[str, tuple[int, int]], real: list[Image.Image]) -> None:
    """Load a library's model, and write it back."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "in").mkdir()
        theirs = reference.make()
        weights = load_weights(reference.save(theirs, folder / "in"))
        write_weights(weights, folder / "out", reference.to)
        back = reference.again(folder / "out")
        into = [worst(size, real, mine(weights), told(theirs)) for size in sizes.values()]
        out = [worst(size, real, told(back), mine(weights)) for size in sizes.values()]
    row(name, sizes, [shown(max(into)), shown(max(out))])


def compare_bridged(name: str, to: str, again: Callable[[Path], nn.Module], real: list[Image.Image]) -> None:
    """A model of ours that the library cannot represent, through its bridge."""
    weights = hybrid(BRIDGED[name])
    sizes = {size: SIZES[size] for size in SHOWN_SIZES}
    with TemporaryDirectory() as temporary:
        write_weights(weights, Path(temporary) / "out", to)
        back = again(Path(temporary) / "out")
        out = [worst(size, real, told(back), mine(weights)) for size in sizes.values()]
    row(f"{name}, {to} by its bridge", sizes, ["", shown(max(out))])


def mine(weights: Weights) -> Callable[[Tensor], Tensor]:
    """The outputs of our model."""
    return lambda images: ours(weights, images)


def told(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The outputs of a library's model."""
    return lambda images: asked(model, images)


def main() -> None:
    """Print the table."""
    for bridge in ("timm", "transformers"):  # same effect as a user's `import corolla.bridges.…`
        import_module(f"corolla.bridges.{bridge}")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    parser = argparse.ArgumentParser(description="Differences between our outputs and those of the libraries.")
    parser.add_argument("images", type=Path, nargs="?", help="a folder with images; by default they are painted")
    real = images(parser.parse_args().images)
    versions = {module.__name__: module.__version__ for module in (torch, torchvision, timm, transformers)}
    print(", ".join(f"{name} {version}" for name, version in versions.items()), f"Python {platform.python_version()}")
    print("\n| model | images | in | out |\n|---|---|---|---|")
    for name, reference in REFERENCES.items():
        sizes = {size: SIZES[size] for size in SHOWN_SIZES if size in reference.sizes}
        compare(name, reference, sizes, real)
    for name in BRIDGED:
        compare_bridged(name, "timm", timm_again, real)
        compare_bridged(
            name,
            "huggingface",
            lambda folder: transformers.AutoModelForImageClassification.from_pretrained(folder).eval(),
            real,
        )
    compare("timm vit_base_patch16_224, full size", FULL, {"native": (224, 224), "wider": (224, 320)}, real)


if __name__ == "__main__":
    main()
