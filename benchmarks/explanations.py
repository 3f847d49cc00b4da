"""The faithfulness of explanations: the deletion and insertion test of RISE (arXiv 1806.07421).

    python benchmarks/explanations.py flowers splits.csv --split val
    python benchmarks/explanations.py flowers splits.csv --curves docs/images/deletion.png

Random photographs of the split (`--images`, `--seed`) are explained by every method for the predicted class,
correct or not. The methods are compared with each head of the last block, with random maps, and with a
Gaussian in the center of the image, where photographers usually put their subject. Areas are in [0, 1]: smaller is
better for deletion, larger for insertion. "Above random" is the difference of insertion minus deletion from that of the
random maps for the same photographs, with a bootstrap interval over the photographs (10,000 resamples). The default
method was chosen on validation photographs; the test split is only used for reporting.
"""

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

import corolla
from corolla.atomic import write_with
from corolla.classifier import Classifier
from corolla.data.manifest import SPLITS
from corolla.data.sources import list_source
from corolla.explanations.deletion import STEPS, Curves, center_map, measure, random_map
from corolla.explanations.maps import METHODS, explain_pixels
from corolla.progress import Progress, progress_for
from corolla.report.curves import PRINTED
from corolla.training.runtime import hardware

RESAMPLES = 10_000
RANDOM, CENTER = "random map", "center of the image"


def maps_of(
    classifier: Classifier, pixels: NDArray[np.uint8], seeds: Sequence[tuple[int, int]], seconds: dict[str, float]
) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """The explained class and every map of one image (H, W, 3); adds the time of each method to `seconds`."""
    maps: dict[str, NDArray[np.float32]] = {}
    for method in METHODS:
        begun = time.perf_counter()
        [[found]] = explain_pixels(classifier, pixels[None], [method])
        seconds[method] = seconds.get(method, 0.0) + time.perf_counter() - begun
        maps[method] = found.map
        if found.heads is not None:
            maps |= {f"head {number} alone": head for number, head in enumerate(found.heads, start=1)}
    grid = found.map.shape
    maps[CENTER] = center_map(grid)
    maps |= {f"{RANDOM} {number}": random_map(grid, seed) for number, seed in enumerate(seeds)}
    return found.label, maps


def ask(
    classifier: Classifier, paths: Sequence[Path], count: int, steps: int, progress: Progress
) -> tuple[list[str], list[Curves], dict[str, float]]:
    """The names of the maps, their curves for each image, and seconds per image for each method."""
    names: list[str] = []
    curves, seconds = [], dict[str, float]()
    for number, path in enumerate(paths):
        pixels = classifier.pixels(path)
        seeds = [(number, seed) for seed in range(count)]
        label, maps = maps_of(classifier, pixels, seeds, seconds)
        names = list(maps)
        curves.append(measure(classifier, pixels, list(maps.values()), label, steps))
        progress.stage("deleting and inserting", number + 1, len(paths))
    return names, curves, {method: total / len(paths) for method, total in seconds.items()}


def gathered(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """From one column per map (images, maps, …) to one per name; random maps are averaged."""
    random_ones = [place for place, name in enumerate(names) if name.startswith(RANDOM)]
    rows = {name: values[:, place] for place, name in enumerate(names) if place not in random_ones}
    return rows | {RANDOM: values[:, random_ones].mean(axis=1)}


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over images."""
    dice = np.random.default_rng(0)
    means = [dice.choice(differences, len(differences)).mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def table(names: Sequence[str], curves: Sequence[Curves], seconds: Mapping[str, float]) -> str:
    """One row per map, the best first."""
    deletion, insertion, score = (
        gathered(names, np.stack([getattr(one, name) for one in curves]))
        for name in ("deletion_area", "insertion_area", "score")
    )
    lines = [
        "| map | deletion | insertion | insertion − deletion | above random | ms per map |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(score, key=lambda name: -score[name].mean()):
        beyond = score[name] - score[RANDOM]
        low, high = interval(beyond)
        told = "" if name == RANDOM else f"{beyond.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        took = f"{1000 * seconds[name]:.0f}" if name in seconds else ""
        lines.append(
            f"| {name} | {deletion[name].mean():.3f} | {insertion[name].mean():.3f} "
            f"| {score[name].mean():.3f} | {told} | {took} |"
        )
    return "\n".join(lines)


def draw_curves(names: Sequence[str], curves: Sequence[Curves], file: Path) -> None:
    """Draw the mean curves of the methods, the random maps and the center into a PNG: deletion and insertion."""
    figure = Figure(figsize=(10, 4), facecolor=PRINTED.card, layout="constrained")
    for place, (what, title) in enumerate((("deletion", "patches removed"), ("insertion", "patches inserted")), 1):
        axes = figure.add_subplot(1, 2, place)
        means = gathered(names, np.stack([getattr(one, what) for one in curves]).astype(float))
        for name in [*METHODS, CENTER, RANDOM]:
            gray = name in (CENTER, RANDOM)
            style = {"color": PRINTED.quiet, "linestyle": ":" if name == RANDOM else "--"} if gray else {"linewidth": 2}
            axes.plot(100 * curves[0].shares, 100 * means[name].mean(axis=0), label=name, **style)
        axes.set(xlabel=f"% of {title}, the most relevant first", ylim=(0, 100), xlim=(0, 100))
        axes.set_title(what.capitalize(), loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        if place == 1:
            axes.set_ylabel("mean probability of the predicted class (%)")
            axes.legend(frameon=False)
    write_with(file, lambda temporary: figure.savefig(temporary, dpi=110, metadata={"Software": "corolla"}))


def main() -> None:
    """Print the table, and draw the curves if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run folder, or the name of a run that comes with corolla")
    parser.add_argument("data", help="labeled images with splits")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the random choice of photographs")
    parser.add_argument("--random-maps", type=int, default=5, help="random maps for each photograph")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--curves", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    with progress_for() as progress:
        listing = list_source(arguments.data, progress.stage)
        paths = [listing.root / example.path for example in listing.examples if example.split == arguments.split]
        paths = random.Random(arguments.seed).sample(paths, min(arguments.images, len(paths)))
        classifier = corolla.load(arguments.run)
        names, curves, seconds = ask(classifier, paths, arguments.random_maps, arguments.steps, progress)
    print(table(names, curves, seconds))
    device = hardware(torch.device(classifier.device))
    print(
        f"\n{len(curves)} {arguments.split} photographs, {arguments.random_maps} random maps for each; "
        f"{(time.perf_counter() - begun) / 60:.1f} minutes on {device}, {classifier.precision.mixed}; "
        f"torch {torch.__version__}"
    )
    if arguments.curves:
        draw_curves(names, curves, arguments.curves)


if __name__ == "__main__":
    main()
