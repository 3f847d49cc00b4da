"""The predictions of `corolla predict`, in four formats: a line, JSON, a CSV table, a grid."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from corolla.atomic import write_bytes
from corolla.cli.output import printable
from corolla.data.decoding import ImageError
from corolla.inputs.items import Item
from corolla.predictor import Prediction, Predictor
from corolla.progress import Progress

NONE = "none of these classes"
UNSURE = "no class is likely enough"
WIDEST = 100  # columns of the screen for a path; a longer one moves the rest of its line to the right


@dataclass(frozen=True)
class Answer:
    """The prediction of one input, or why there is none."""

    input: Item
    prediction: Prediction | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `corolla predict --json` prints it."""
        if self.prediction is None:
            return {"path": self.input.name, "error": self.error}
        return {"path": self.input.name} | self.prediction.to_json()


def ask(
    classifier: Predictor, inputs: Sequence[Item], top: int, coverage: float | None, progress: Progress
) -> Iterator[Answer]:
    """A prediction for every input, in order, with its `top` most likely classes, and the set for a coverage."""
    rows = classifier.iter_outputs([item.path for item in inputs if item.path])
    for done, item in enumerate(inputs, start=1):
        if item.path is None:
            yield Answer(item, error=item.error)
        else:
            _, row = next(rows)
            if isinstance(row, ImageError):
                yield Answer(item, error=row.reason)
            else:
                yield Answer(item, classifier.to_prediction(row, top, coverage))
        progress.stage("predicting", done, len(inputs))


class Lines:
    """Lines with path, class and percent in columns."""

    def __init__(self, inputs: Sequence[Item], classes: Sequence[str], top: int) -> None:
        self.top = top
        self.name_width = min(max((cell_len(printable(item.name)) for item in inputs), default=0), WIDEST)
        self.label_width = max(cell_len(printable(name)) for name in classes)

    def line(self, prediction: Prediction, name: str) -> str:
        """The line about one image."""
        if not prediction.accepted:
            told = [f"{NONE} (OOD score {prediction.ood_score:.2f})"]
        elif prediction.labels is not None:
            told = [" or ".join(printable(label) for label in prediction.labels) or UNSURE]
        else:
            shares = prediction.top[: self.top]
            told = [f"{padded(label, self.label_width)} {share:6.1%}" for label, share in shares]
        return "  ".join([padded(name, self.name_width), *told])


def padded(text: str, width: int) -> str:
    """The text without control characters, filled up to `width` columns; wide characters take two."""
    text = printable(text)
    return text + " " * (width - cell_len(text))


def write_csv(answers: Sequence[Answer], file: Path) -> None:
    """Write a row for each prediction, atomically: path, label, probability, accepted, then label_2 and so on.

    `accepted` is yes or no, and empty for a run that is not calibrated.
    """
    predictions = [(answer.input.name, answer.prediction) for answer in answers if answer.prediction]
    most = max(len(prediction.top) for _, prediction in predictions)
    further = [f"{what}_{place}" for place in range(2, most + 1) for what in ("label", "probability")]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["path", "label", "probability", "accepted", *further])
    for name, prediction in predictions:
        accepted = "" if prediction.ood_score is None else "yes" if prediction.accepted else "no"
        writer.writerow([name, *prediction.top[0], accepted, *(cell for pair in prediction.top[1:] for cell in pair)])
    # A file name may be invalid text.
    write_bytes(file, table.getvalue().encode("utf-8", errors="backslashreplace"))


def draw(answers: Sequence[Answer], file: Path) -> None:
    """Draw the images in a grid, titled with class and probability."""
    from corolla.report.grid import draw_grid

    tiles = [
        (answer.input.path, title(answer.prediction), None)
        for answer in answers
        if answer.prediction and answer.input.path
    ]
    draw_grid(tiles, file)


def title(prediction: Prediction) -> str:
    """The title of an image in the grid."""
    return f"{prediction.label} {prediction.probability:.1%}" if prediction.accepted else NONE
