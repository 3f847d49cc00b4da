"""How hard `painted` is: a linear classifier on pixels should fail where a small Vision Transformer does not.

    python benchmarks/painted_difficulty.py
    python benchmarks/painted_difficulty.py --vit-minutes 5

Logistic regression sees the images resized to 32 x 32 RGB; its regularization strength is chosen on a fifth of the
training images. Chance is 20 %, and the accuracy must stay below 60 %. With --vit-minutes a Vision Transformer is
trained for that time with the scratch recipe on as many images, and evaluated on its own test split.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import corolla
from corolla.evaluation.metrics import wilson
from corolla.painted import KINDS, paint, paint_dataset
from corolla.progress import progress_for

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def pixels(count: int, seed: int, size: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`count` images painted at `size` pixels, as rows (count, side * side * 3), and their labels."""
    labels = np.arange(count) % len(KINDS)
    rows = []
    for number, label in enumerate(labels):
        image = paint(KINDS[label], seed * 1_000_000 + number, size)
        rows.append(np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32).ravel() / 255.0)
    return np.stack(rows), labels


def linear(train: int, test: int, seed: int, size: int, side: int) -> tuple[int, float]:
    """The number of `test` images that the best logistic regression predicts correctly, and its C."""
    x, y = pixels(train + test, seed, size, side)
    fit = train - train // 5

    def fitted(strength: float, last: int) -> object:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
        return model.fit(x[:last], y[:last])

    scores = [fitted(strength, fit).score(x[fit:train], y[fit:train]) for strength in STRENGTHS]
    best = STRENGTHS[int(np.argmax(scores))]
    right = fitted(best, train).predict(x[train:]) == y[train:]
    return int(right.sum()), best


def transformer(count: int, seed: int, size: int, minutes: float) -> tuple[int, int]:
    """Correct predictions and number of test images of a Vision Transformer trained for `minutes`."""
    with TemporaryDirectory() as folder, progress_for() as progress:
        data = paint_dataset(Path(folder) / "painted", count, seed=seed, size=size)
        run = corolla.train(data, Path(folder) / "run", minutes=minutes, seed=seed, progress=progress)
        evaluation = corolla.evaluate(run.folder)
    return int(evaluation.correct.sum()), evaluation.n


def line(name: str, right: int, of: int, note: str) -> str:
    """One row of the table."""
    low, high = wilson(right, of)
    return f"| {name} | {right / of:.1%} | {low:.1%} to {high:.1%} | {of} | {note} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=160, help="the longer side of the images in pixels")
    parser.add_argument("--side", type=int, default=32, help="image side for the linear classifier, in pixels")
    parser.add_argument("--vit-minutes", type=float, help="also train a Vision Transformer for this time")
    arguments = parser.parse_args()
    started = time.perf_counter()
    right, strength = linear(arguments.train, arguments.test, arguments.seed, arguments.size, arguments.side)
    print("| classifier | test accuracy | 95 % interval | images | how |")
    print("|---|---|---|---|---|")
    note = f"{arguments.train} training images, C = {strength:g}, {time.perf_counter() - started:.0f} s with painting"
    print(line("logistic regression on pixels", right, arguments.test, note), flush=True)
    if arguments.vit_minutes:
        count = arguments.train + arguments.test
        right, of = transformer(count, arguments.seed, arguments.size, arguments.vit_minutes)
        print(line("Vision Transformer, scratch recipe", right, of, f"{arguments.vit_minutes:g} minutes"))


if __name__ == "__main__":
    main()
