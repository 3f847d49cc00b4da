"""How reliable a run's predictions are: calibration, coverage of the conformal prediction sets, OOD detection.

    python benchmarks/trust.py flowers splits.csv
    python benchmarks/trust.py runs/scratch/seed0 runs/scratch/seed1 runs/scratch/seed2 splits.csv

Everything was fitted on validation images during the run's calibration; here it is measured on the test split. The OOD
images are those bundled with scikit-image and scikit-learn (photographs, pages, cells, textures, digits), painted
backdrops without a flower, and noise; none of these kinds was used to choose anything. Needs scikit-image:
pip install scikit-image. The tables go to standard output as Markdown.
"""

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from corolla.classifier import Classifier
from corolla.evaluation.evaluate import evaluate
from corolla.evaluation.metrics import Evaluation
from corolla.painted import backdrop
from corolla.progress import progress_for

SIDE = 256
SMALLEST = 64  # pixels of a bundled image's shorter side
NOISES, TEXTURES, DIGITS = 100, 40, 200
BACKDROPS = (backdrop.wall, backdrop.boards, backdrop.paper, backdrop.soil, backdrop.sky)


def quarters(image: Image.Image) -> Iterator[Image.Image]:
    """An image and its four quarters."""
    yield image
    width, height = image.size
    for left in (0, width // 2):
        for top in (0, height // 2):
            yield image.crop((left, top, left + width // 2, top + height // 2))


def bundled_by_scikit_image() -> list[Image.Image]:
    """The photographs, pages, cells and textures in the package, whole and in quarters."""
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    found = []
    for file in sorted((*folder.glob("*.png"), *folder.glob("*.jpg"))):
        image = Image.open(file).convert("RGB")
        if min(image.size) >= SMALLEST:
            found += quarters(image)
    return found


def bundled_by_scikit_learn() -> tuple[list[Image.Image], list[Image.Image]]:
    """A photograph of a temple, whole and in quarters (the other one shows a flower); handwritten digits."""
    from sklearn.datasets import load_digits, load_sample_image

    digits = (16 - load_digits().images[:DIGITS]) / 16 * 255
    return (
        list(quarters(Image.fromarray(load_sample_image("china.jpg")))),
        [Image.fromarray(digit.astype(np.uint8)).convert("RGB").resize((SIDE, SIDE)) for digit in digits],
    )


def noises() -> Iterator[NDArray[np.uint8]]:
    """Uniform, gray, coarse, and salt and pepper on gray."""
    for seed in range(NOISES):
        dice = np.random.default_rng(seed)
        kind = seed % 4
        if kind == 0:
            pixels = dice.integers(0, 256, (SIDE, SIDE, 3))
        elif kind == 1:
            pixels = np.repeat(dice.normal(128, 50, (SIDE, SIDE, 1)), 3, axis=2).clip(0, 255)
        elif kind == 2:
            pixels = dice.integers(0, 256, (SIDE // 16, SIDE // 16, 3)).repeat(16, axis=0).repeat(16, axis=1)
        else:
            pixels = np.repeat(dice.choice([0, 128, 255], (SIDE, SIDE, 1), p=[0.1, 0.8, 0.1]), 3, axis=2)
        yield pixels.astype(np.uint8)


def textures() -> Iterator[Image.Image]:
    """Painted walls, boards, papers, soils and skies, without anything in front of them."""
    for seed in range(TEXTURES):
        for paint in BACKDROPS:
            pixels = np.asarray(paint(np.random.default_rng(seed), (SIDE, SIDE)))
            if pixels.dtype != np.uint8:
                pixels = (pixels * 255).round().clip(0, 255).astype(np.uint8)
            yield Image.fromarray(pixels)


def strangers() -> dict[str, list[Image.Image]]:
    """OOD images, which show none of the classes, by kind."""
    temple, digits = bundled_by_scikit_learn()
    return {
        "scikit-image's images": bundled_by_scikit_image(),
        "a temple": temple,
        "handwritten digits": digits,
        "painted backdrops": list(textures()),
        "noise": [Image.fromarray(pixels) for pixels in noises()],
    }


def told(values: list[float], write: str = "{:.1%}") -> str:
    """The mean and the range of the runs."""
    mean = write.format(statistics.mean(values))
    return mean if len(values) == 1 else f"{mean} ({write.format(min(values))} to {write.format(max(values))})"


def print_calibration(evaluations: list[Evaluation]) -> None:
    """Print calibration before and after the temperature, and the coverage of the prediction sets."""
    trusts = [evaluation.trust for evaluation in evaluations if evaluation.trust]
    print("| | uncalibrated | calibrated |\n|---|---|---|")
    for name, field, write in (
        ("expected calibration error, 15 bins", "ece", "{:.1%}"),
        ("Brier score", "brier", "{:.3f}"),
        ("log loss", "log_loss", "{:.3f}"),
    ):
        before, after = ([getattr(trust, key) for trust in trusts] for key in (f"uncalibrated_{field}", field))
        print(f"| {name} | {told(before, write)} | {told(after, write)} |")
    print(f"\nTemperature {told([trust.temperature for trust in trusts], '{:.2f}')}.\n")
    print("| target coverage | coverage | classes per set | sets of one class | empty sets |\n|---|---|---|---|---|")
    for place, promise in enumerate(trusts[0].coverages):
        each = [trust.coverages[place] for trust in trusts]
        seen, single, empty = (told([getattr(one, field) for one in each]) for field in ("seen", "single", "empty"))
        size = told([one.size for one in each], "{:.2f}")
        print(f"| {promise.promised:.0%} | {seen} | {size} | {single} | {empty} |")
    print(f"\nAccepted as one of the classes: {told([trust.accepted for trust in trusts])} of the test images;")
    print(f"{told([trust.accepted_accuracy or 0.0 for trust in trusts])} of the accepted ones are correct.\n")


def print_ood(classifiers: list[Classifier], evaluations: list[Evaluation]) -> None:
    """Print how well OOD images are detected, and how many are rejected."""
    print("| images | number | AUROC | none of these classes |\n|---|---|---|---|")
    everything: list[list[NDArray[np.float32]]] = [[] for _ in classifiers]
    for kind, images in strangers().items():
        areas, refused = [], []
        for place, (classifier, evaluation) in enumerate(zip(classifiers, evaluations, strict=True)):
            scores = np.array([output.ood_score for output in classifier.outputs(images)], np.float32)
            everything[place].append(scores)
            areas.append(auroc(evaluation, scores))
            refused.append(float((scores > 1).mean()))
        print(f"| {kind} | {len(images)} | {told(areas, '{:.3f}')} | {told(refused)} |", flush=True)
    areas = [
        auroc(evaluation, np.concatenate(scores)) for evaluation, scores in zip(evaluations, everything, strict=True)
    ]
    refused = [float((np.concatenate(scores) > 1).mean()) for scores in everything]
    print(f"| all of these | {sum(map(len, everything[0]))} | {told(areas, '{:.3f}')} | {told(refused)} |")


def auroc(evaluation: Evaluation, scores: NDArray[np.float32]) -> float:
    """How often an OOD image scores higher than a test image."""
    assert evaluation.ood_scores is not None
    truth = np.repeat([0, 1], [evaluation.n, len(scores)])
    return float(roc_auc_score(truth, np.concatenate([evaluation.ood_scores, scores])))


def main() -> None:
    """Measure the runs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="run folders, or names of runs that come with corolla")
    parser.add_argument("data", help="labeled images with a test split")
    arguments = parser.parse_args()
    classifiers = [Classifier.load(run) for run in arguments.runs]
    missing = [run for run, classifier in zip(arguments.runs, classifiers, strict=True) if not classifier.calibration]
    if missing:
        parser.error(f"{missing[0]} is not calibrated; run: corolla calibrate {missing[0]} {arguments.data}")
    with progress_for(quiet=False) as progress:
        evaluations = [
            evaluate(run, arguments.data, classifier=classifier, progress=progress.stage)
            for run, classifier in zip(arguments.runs, classifiers, strict=True)
        ]
    kinds = [classifier.calibration.ood_detector.name for classifier in classifiers if classifier.calibration]
    print(f"{len(classifiers)} run(s), {evaluations[0].n} test images; OOD score by {', '.join(kinds)}\n")
    print(f"Accuracy {told([evaluation.accuracy for evaluation in evaluations])}.\n")
    print_calibration(evaluations)
    print_ood(classifiers, evaluations)


if __name__ == "__main__":
    main()
