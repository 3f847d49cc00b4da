"""`corolla demo`: train, evaluate and predict in a few minutes, each step an ordinary command."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corolla.cli import evaluate, predict, train
from corolla.cli.options import Quiet
from corolla.cli.repeating import shell_line
from corolla.cli.run_names import fresh
from corolla.errors import CorollaError

if TYPE_CHECKING:
    from corolla.progress import Progress

EXAMPLES = "Example:\ncorolla demo --out demo --minutes 3.5"
FIRST_WORD = 4.0  # seconds that a server may take to answer
LONGEST_FETCH = 60.0  # seconds that a download may take in a demo
WHOLE = 4.7  # minutes for everything; below five, since a machine may slow down
ANSWERS = 12.0  # seconds on two cores for what comes after the training
LEAST = 1 / 3  # fraction of the minutes that the training gets at least, however long the download took
ASKED = 12  # images


def command(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The output folder; if it is not empty, a new folder DIR-2, … is used.")
    ] = Path("demo"),
    minutes: Annotated[
        float,
        typer.Option(
            metavar="M",
            min=2,
            help="Time budget of the whole demo in minutes; the training gets what images and predictions do not need.",
        ),
    ] = WHOLE,
    quiet: Quiet = False,
) -> None:
    """Try corolla: get images, train a small model, evaluate it and predict a few images.

    The images are real photographs of flowers if they are cached or quick to download, and painted ones otherwise.
    It takes less than five minutes on two cores; the images are cached for the next time.
    """
    from corolla.progress import progress_for

    begun = time.monotonic()
    folder = fresh(out)
    run = folder / "run"
    with progress_for(quiet) as progress:
        data = choose_data(progress)
    training = training_minutes(minutes, time.monotonic() - begun)
    told("corolla", "train", data, "--out", run, "--minutes", f"{training:g}")
    train.command(data=data, out=run, minutes=training, quiet=quiet)
    told("corolla", "evaluate", run)
    evaluate.command(run, quiet=quiet)
    images, grid = some_images(run), folder / "predictions.png"
    told("corolla", "predict", run, *images[:1], "…", "--plot", grid)
    predict.command(run, images, plot=grid, quiet=quiet)
    print(f"\nDone in {(time.monotonic() - begun) / 60:.1f} minutes. The results:")
    places = {
        run / "report.html": "metrics, curves and errors; open it in a browser",
        run / "README.md": "the model card",
        grid: "the images above with their predictions",
    }
    width = max(len(str(place)) for place in places)
    for place, what in places.items():
        print(f"  {place!s:{width}}  {what}")
    print("Now with your own images, a folder for each class:")
    print("  corolla train IMAGES --out runs/mine --minutes 30")


def training_minutes(minutes: float, spent: float) -> float:
    """The minutes left for the training after `spent` seconds, with time reserved for the predictions."""
    return round(max(minutes - (spent + ANSWERS) / 60, minutes * LEAST), 2)


def choose_data(progress: "Progress") -> str:
    """`flowers` if the photographs are cached or quick to download, else `painted`, generated now if necessary."""
    from corolla.data import flowers
    from corolla.data.sources import at_hand, is_word

    def by_name(word: str) -> str:  # by its path if a folder of the user has this name
        return word if is_word(word) else str(at_hand(word, progress.stage))

    if flowers.available():
        return by_name("flowers")
    if "COROLLA_DATA" not in os.environ and reachable(flowers.URL):
        try:
            flowers.fetch(Hurried(progress))
            return by_name("flowers")
        except CorollaError:
            pass
    progress.note("the real flower photographs are not cached or quick to download: this demo uses painted ones")
    at_hand("painted", progress.stage)  # so that the training's minutes are not spent on painting
    return by_name("painted")


def reachable(address: str) -> bool:
    """Whether the server of `address` answers soon."""
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=FIRST_WORD):
            return True
    except (OSError, ValueError):
        return False


class Hurried:
    """A progress callback that stops a slow download; the part that has arrived is kept for the next attempt."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.begun: tuple[float, int] | None = None  # the start time, and the bytes that were there then

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show the progress; `CorollaError` if the download is too slow."""
        self.progress.stage(what, done, total)
        if what != "downloading":
            return
        now = time.monotonic()
        self.begun = self.begun or (now, done)
        seconds, size = now - self.begun[0], done - self.begun[1]
        if seconds > 5 and (total - done) * seconds > LONGEST_FETCH * size:
            raise CorollaError("the download would take too long for a demo")


def some_images(run: Path) -> list[str]:
    """A dozen test images of the run, spread over its classes."""
    from corolla.run import Run

    manifest = Run(run).load_manifest()
    test = manifest.split("test")
    count = min(ASKED, len(test))
    return [str(manifest.locate(test[place * len(test) // count])) for place in range(count)]


def told(*words: object) -> None:
    """Show the command that is run next."""
    print(f"\n$ {shell_line([str(word) for word in words])}".replace("'…'", "…").replace('"…"', "…"), flush=True)
