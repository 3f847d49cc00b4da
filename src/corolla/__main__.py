"""The process of the command `corolla`, and of `python -m corolla`."""

from typing import NoReturn

from corolla.cli import main
from corolla.cli.process import leave


def run() -> NoReturn:
    """Run the command that this process was given and end with its exit status."""
    leave(main())


if __name__ == "__main__":
    run()
