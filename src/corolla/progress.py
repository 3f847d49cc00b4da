"""Progress of long work: a bar on a terminal, a line now and then elsewhere, nothing if quiet.

Everything goes to standard error, so that standard output holds results only.
"""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY = 15.0  # seconds between lines of one stage where there is no terminal


class Progress:
    """Shows nothing; the two subclasses show progress."""

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        """Report that `done` of `total` units of the stage called `title` are finished."""

    def note(self, text: str) -> None:
        """Report `text` as a line of its own."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""


class LineProgress(Progress):
    """Prints a plain line to standard error now and then in a long stage."""

    def __init__(self) -> None:
        self.title = ""
        self.told = 0.0

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        """Print at most one line every `LINE_EVERY` seconds, and one for the end of a stage that took as long."""
        now = time.monotonic()
        if title != self.title:
            self.title, self.told = title, now
        elif now - self.told >= LINE_EVERY:
            self.told = now
            self.note(f"{title}: {done}/{total}{'  ' + detail if detail else ''}")

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)


class TerminalProgress(Progress):
    """A bar with the remaining time; the lines of `note` appear above it."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[detail]}"),
            console=self.console,
            transient=True,
        )
        self.task: tuple[str, int] | None = None

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        """Update the bar of this stage, which replaces the bar of the stage before."""
        number = [task.id for task in self.bars.tasks if self.task and task.id == self.task[1]]
        if self.task is None or self.task[0] != title or not number:
            for old in self.bars.task_ids:
                self.bars.remove_task(old)
            self.task = (title, self.bars.add_task(escape(title), total=total, detail=""))
        self.bars.update(self.task[1], completed=done, total=total, detail=escape(detail))  # type: ignore[arg-type]

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.bars.print(escape(text))

    def __enter__(self) -> Progress:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self.bars.stop()


def progress_for(quiet: bool = False) -> Progress:
    """The kind that suits the current standard error."""
    if quiet:
        return Progress()
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()
