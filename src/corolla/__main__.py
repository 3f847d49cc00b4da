"""`python -m corolla` is the command `corolla`."""

import sys

from corolla.cli import main

if __name__ == "__main__":
    sys.exit(main())
