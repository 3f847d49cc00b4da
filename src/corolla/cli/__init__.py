"""The command line: `corolla train`, `evaluate`, `predict`, `compare`, `summary`, `bench` and so on.

Every command is one file here and a thin layer over the Python API, with the same words. Importing this package
loads nothing heavy; a command imports what it uses when it runs.
"""

import os
import sys
from collections.abc import Sequence

from corolla.cli.app import app
from corolla.cli.environment import check_current_folder
from corolla.cli.failures import tell
from corolla.cli.output import make_streams_safe

STOPPED_PIPE = 141  # 128 + SIGPIPE, what a shell reports of a program whose reader went away


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `corolla` with these arguments (those of the process by default) and return its exit status.

    0: done. 2: something the user can mend, said in one line on standard error. 130: stopped by Ctrl-C.
    Only a fault of corolla itself raises.
    """
    make_streams_safe()
    if "_COROLLA_COMPLETE" in os.environ:  # a shell asks how a line goes on
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
        sys.stdout.flush()  # also of --help, and of what was answered before something went wrong
    except BrokenPipeError:
        return stopped_pipe()
    except OSError as error:
        return status or tell(error)
    return status


def stopped_pipe() -> int:
    """The status where the reader of standard output went away."""
    # Python would flush standard output once more on its way out, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return STOPPED_PIPE
