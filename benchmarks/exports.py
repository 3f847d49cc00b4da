"""The same images through every predictor: the run, its exported files, the server, the page in a browser.

    python benchmarks/exports.py flowers splits.csv

Exports the run three times, predicts the test split with each predictor, and prints one table: how many images each
class got, how many predictions are correct, how many equal those of the run in single precision, and the largest
difference of a probability. The page computes a sample of 20 in a real browser (it decodes JPEGs itself). Two more
tables have the CPU time and wall time of `corolla predict` for one image, from start to end, and for each file its size
and the time per image, one at a time and in batches of 32. Times are medians of interleaved rounds on this machine.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from numpy.typing import NDArray

from contender import processor
from corolla.classifier import Classifier
from corolla.data.decoding import read_image
from corolla.data.sources import load_data
from corolla.export.parity import measure_speeds
from corolla.export.run_export import export
from corolla.onnx_runtime.backends import BACKENDS
from corolla.onnx_runtime.metadata import PRECISIONS
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.precision import SINGLE, choose_precision
from corolla.predictor import Predictor
from corolla.progress import progress_for

ON_THE_PAGE = 20
ROUNDS = 5
TOGETHER = 8  # files of a request to the server
Rows = NDArray[np.float64]


def answers_of(predictor: Predictor, paths: Sequence[Path]) -> Rows:
    """Probabilities (n, classes)."""
    return predictor.predict_proba(paths).astype(np.float64)


def answers_of_whole(predictor: OnnxPredictor, paths: Sequence[Path]) -> Rows:
    """The same, for images that the file itself crops and resizes."""
    rows = [predictor.compute(np.asarray(read_image(path))[None], ["probabilities"])[0] for path in paths]
    return np.concatenate(rows).astype(np.float64)


@contextmanager
def serving(what: str) -> Iterator[str]:
    """Start a server; yields its address."""
    command = [sys.executable, "-m", "corolla", "serve", what, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        yield re.findall(r"http://\S+?(?=/?;)", process.stderr.readline())[0]
    finally:
        process.terminate()
        process.wait(30)


def answers_of_server(address: str, paths: Sequence[Path], classes: Sequence[str]) -> Rows:
    """The same, by `POST /v1/predict`."""
    rows = []
    with httpx.Client(timeout=60, trust_env=False) as client:
        for start in range(0, len(paths), TOGETHER):
            files = [("files", (path.name, path.read_bytes())) for path in paths[start : start + TOGETHER]]
            said = client.post(f"{address}/v1/predict", files=files, data={"top": len(classes)}).raise_for_status()
            for prediction in said.json()["predictions"]:
                shares = {one["label"]: one["probability"] for one in prediction["top"]}
                rows.append([shares[name] for name in classes])
    return np.array(rows)


def answers_of_page(address: str, paths: Sequence[Path], classes: Sequence[str]) -> Rows:
    """The same, by the page that computes in a browser; it shows tenths of a percent."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from browser import opened

    with opened(address) as (page, complaints):
        page.get_by_label("Predict on this device").check()
        page.locator("#said", has_text="The model is ready").wait_for(state="attached", timeout=60_000)
        page.locator("#files").set_input_files(paths)
        cards = page.locator(".card:not(.asking)")
        cards.nth(len(paths) - 1).wait_for(timeout=120_000)
        rows = []
        for place in range(len(paths)):
            found = re.findall(r"(.+)\n+([\d.]+)\s%", cards.nth(place).locator(".bars").inner_text())
            shares = {name: float(share) / 100 for name, share in found}
            rows.append([shares[name] for name in classes])
        assert not complaints, complaints
    return np.array(rows)


def cold_starts(ways: dict[str, list[str]], photo: Path) -> dict[str, tuple[float, float]]:
    """CPU seconds and wall seconds of a whole process, medians of interleaved rounds."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):  # the first round brings the files into memory
        for name, (what, *options) in ways.items():
            before, begun = os.times(), time.perf_counter()
            command = [sys.executable, "-m", "corolla", "predict", what, str(photo), *options]
            subprocess.run(command, check=True, capture_output=True)
            after, wall = os.times(), time.perf_counter() - begun
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            if turn:
                seen[name].append((cpu, wall))
    return {name: tuple(np.median(times, axis=0)) for name, times in seen.items()}


def row(name: str, rows: Rows, reference: Rows, labels: NDArray[np.int64], classes: Sequence[str]) -> str:
    """One line of the table."""
    answers, expected = rows.argmax(axis=1), reference.argmax(axis=1)
    counts = Counter(answers.tolist())
    told = " / ".join(str(counts[place]) for place in range(len(classes)))
    right, same = int((answers == labels).sum()), int((answers == expected).sum())
    apart = np.abs(rows - reference).max()
    return f"| {name} | {len(rows)} | {told} | {right} | {same} | {apart:.1e} |"


def main() -> None:
    """Export, predict, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("data", help="labeled images with training, validation and test splits")
    arguments = parser.parse_args()
    manifest = load_data(arguments.data)
    single = Classifier.load(arguments.run, precision=SINGLE)
    usual = Classifier.load(arguments.run, precision=choose_precision("cpu"))  # the choice of `--precision bf16`
    classes, examples = single.classes, manifest.split("test")
    paths = [manifest.locate(example) for example in examples]
    labels = np.array([classes.index(example.label) for example in examples])
    sample = slice(None, None, max(len(paths) // ON_THE_PAGE, 1))
    with TemporaryDirectory() as folder, progress_for(quiet=False) as progress:
        files = {precision: Path(folder) / f"{precision}.onnx" for precision in PRECISIONS}
        for precision, file in files.items():
            export(arguments.run, file, precision, arguments.data, progress.stage)
        reference = answers_of(single, paths)
        print(f"{processor()}\n")
        print(
            f"| predictor | images | classes: {' / '.join(classes)} | correct | same as the run | largest difference |"
        )
        print("|---|---|---|---|---|---|")
        print(row("the run, float32", reference, reference, labels, classes), flush=True)
        own = f"the run, {usual.precision.mixed}"
        print(row(own, answers_of(usual, paths), reference, labels, classes), flush=True)
        speeds = {own: usual.infer, "the run, float32": single.infer}
        for precision, file in files.items():
            for backend in BACKENDS:
                portable = OnnxPredictor.load(file, backend)
                name = f"{precision}, {backend}"
                speeds[name] = portable.infer
                print(row(name, answers_of(portable, paths), reference, labels, classes), flush=True)
        whole = answers_of_whole(OnnxPredictor.load(files["fp32"]), paths)
        print(row("fp32, cropped and resized by the file itself", whole, reference, labels, classes), flush=True)
        with serving(str(files["fp32"])) as address:
            served = answers_of_server(address, paths, classes)
            print(row("fp32, the server", served, reference, labels, classes), flush=True)
            page = answers_of_page(address, paths[sample][:ON_THE_PAGE], classes)
            chosen = reference[sample][:ON_THE_PAGE], labels[sample][:ON_THE_PAGE]
            print(row("fp32, the page in a browser", page, *chosen, classes))
            print(row("the run, float32, on the same images", chosen[0], *chosen, classes), flush=True)
        batch = np.stack([np.asarray(single.read(path)) for path in paths[:32]])
        cold = cold_starts(
            {"the run": [arguments.run]}
            | {
                f"{precision}, {backend}": [str(files[precision]), "--backend", backend]
                for precision in PRECISIONS
                for backend in BACKENDS
            },
            paths[0],
        )
        print("\n| `corolla predict`, one image | CPU time | wall time |\n|---|---|---|")
        for name, (cpu, wall) in cold.items():
            print(f"| {name} | {cpu:.2f} s | {wall:.2f} s |")
        print("\n| predictor | size of the file | one image | one of a batch of 32 |\n|---|---|---|---|")
        for name, speed in zip(speeds, measure_speeds(list(speeds.values()), batch, progress.stage), strict=True):
            file = files.get(name.partition(",")[0])  # type: ignore[call-overload]
            size = f"{file.stat().st_size / 1e6:.1f} MB" if file else ""
            print(f"| {name} | {size} | {speed.one * 1e3:.1f} ms | {speed.batch * 1e3:.1f} ms |")


if __name__ == "__main__":
    main()
