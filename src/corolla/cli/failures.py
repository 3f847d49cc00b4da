"""Turns an exception into one line on standard error and an exit status."""

import errno
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import typer

from corolla.cli.output import one_line
from corolla.errors import CorollaError, ElsewhereError, system_error

MENDABLE = 2
INTERRUPTED = 128  # and the signal's number: 130 after Ctrl-C, 143 after SIGTERM
# typer brings its own copy of click or uses the installed one, depending on its version; this is the class in both.
USAGE_ERROR: Any = typer.BadParameter.__base__


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Ctrl-C or SIGTERM, with a line about what is saved and how to resume."""

    def __init__(self, said: str, by: int = signal.SIGINT) -> None:
        super().__init__(said)
        self.by = by


def tell(error: BaseException) -> int:
    """Report the error and return the exit status; a bug in corolla is raised again."""
    if isinstance(error, typer.Exit):  # --help and --version end in this way
        return error.exit_code
    if isinstance(error, USAGE_ERROR):
        return tell_usage(error)
    if isinstance(error, Interrupted | KeyboardInterrupt):
        from corolla.processes import processes_here

        if processes_here().main:
            say(str(error) or "stopped")
        return INTERRUPTED + int(getattr(error, "by", signal.SIGINT))
    if isinstance(error, ElsewhereError):
        return MENDABLE
    said = user_message(error)
    if said is None:
        raise error
    say(said)
    return MENDABLE


def tell_usage(error: Any) -> int:
    """A wrong option or argument: the reason, and which --help to read. Without any argument, the help itself."""
    if type(error).__name__ == "NoArgsIsHelpError":
        if help_text := error.format_message():  # some versions of typer have printed it by now
            print(help_text, file=sys.stderr)
        return MENDABLE
    context = error.ctx
    reason = error.format_message().replace(": Value error, ", ": ").rstrip(".")
    command = context.command_path if context else "corolla"
    say(f"{reason[:1].lower()}{reason[1:]}; see {command} --help")
    return MENDABLE


def user_message(error: BaseException) -> str | None:
    """The line about an error that the user can fix, or None."""
    if isinstance(error, CorollaError):
        return str(error)
    if isinstance(error, OSError):
        return system_line(error)
    text = str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:
        return "the memory is full; use a smaller batch, image size or model"
    if "DataLoader worker" in text:
        return "a process that prepares images was killed, usually for lack of (shared) memory; use --workers 0"
    system = system_error(error)
    return system_line(system) if system else None


def system_line(error: OSError) -> str:
    """What the operating system refused, and for which file."""
    reason = error.strerror or str(error) or type(error).__name__
    where = f"{error.filename}: " if error.filename is not None else ""
    hint = {
        errno.ENOSPC: "; make room and try again",
        errno.EACCES: "; choose a writable place, or change its permissions",
        errno.EROFS: "; choose a writable place",
    }
    told = hint.get(error.errno or 0, "")
    if "usable temporary directory" in reason:
        reason, told = "no folder for temporary files is writable", "; set TMPDIR to one that is"
    elif told and in_cache(error.filename):
        told = "; set COROLLA_CACHE to another folder for the cache"
    return f"{where}{reason[:1].lower()}{reason[1:]}{told}"


def in_cache(file: Any) -> bool:
    """Whether a file lies in corolla's cache."""
    from corolla.cache import cache_folder

    return isinstance(file, str) and os.path.abspath(file).startswith(str(cache_folder()))  # noqa: PTH100 - need not exist


def say(text: str) -> None:
    """One line on standard error."""
    with suppress(OSError):  # if standard error is full, the exit status still reports it
        print(f"corolla: {one_line(text)}", file=sys.stderr, flush=True)
