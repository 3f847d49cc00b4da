"""The command line: `corolla train`, `evaluate`, `predict`, `compare`, `summary`, `bench` and so on.

Every command is one file here and a thin layer over the Python API, with the same names. Importing this package
loads nothing heavy; a command imports what it uses when it runs.
"""

import os
import sys
from collections.abc import Sequence

from corolla.cli.app import app
from corolla.cli.environment import check_current_folder
from corolla.cli.failures import tell
from corolla.cli.output import make_streams_safe

STOPPED_PIPE = 141  # 128 + SIGPIPE, what a shell reports when the reader of a program's output has exited


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `corolla` with these arguments (by default `sys.argv[1:]`) and return its exit status.

    0: success. 2: an error that the user can fix, reported in one line on standard error. 130: stopped by Ctrl-C.
    Only a bug in corolla raises.
    """
    make_streams_safe()
    if "_COROLLA_COMPLETE" in os.environ:  # a shell requests completions
        app(prog_name="corolla")
    from typer.main import get_command

    command = get_command(app)
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        check_current_folder()
        with command.make_context("corolla", given) as context:
            command.invoke(context)
        status = 0
    except BrokenPipeError:
        return stopped_pipe()
    except (Exception, KeyboardInterrupt) as error:
        status = tell(error)
    try:
        sys.stdout.flush()  # includes --help, and what was printed before an error
    except BrokenPipeError:
        return stopped_pipe()
    except OSError as error:
        return status or tell(error)
    return status


def stopped_pipe() -> int:
    """The exit status when the reader of standard output has exited."""
    # At exit, Python would flush standard output again and report an error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return STOPPED_PIPE
