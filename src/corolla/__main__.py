"""The process of the command `corolla`, and of `python -m corolla`."""

import signal
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT


def run() -> NoReturn:
    """Run the command that this process was given and end with its exit status."""
    try:
        try:
            from corolla.cli.environment import settle

            settle()
            from corolla.cli import main

            status = main()
        finally:  # the cleanup takes a moment, and a second Ctrl-C would cut it off with a traceback
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # a second one while the first was reported, or one before anything started
        status = INTERRUPTED
    from corolla.cli.process import leave

    leave(status)


if __name__ == "__main__":
    run()
