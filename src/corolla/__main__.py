"""The process of the command `corolla`, and of `python -m corolla`."""

import signal
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT


def run() -> NoReturn:
    """Run the command that this process was given and end with its exit status."""
    try:
        try:
            from corolla.cli.surroundings import settle

            settle()
            from corolla.cli import main

            status = main()
        finally:  # what is still to be done takes a moment, and Ctrl-C once more would cut it off with a traceback
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # once more while the first was told, or before anything began
        status = INTERRUPTED
    from corolla.cli.process import leave

    leave(status)


if __name__ == "__main__":
    run()
