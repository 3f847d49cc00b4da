"""Python's wall clock moved by what is written in the file that `CLOCK_FILE` names, such as `-40d`.

Loaded by Python itself where this folder is on `PYTHONPATH`. The monotonic clock stays as it is.
"""

import os
import time
from pathlib import Path

DAY = 24 * 3600
_real = time.time


def _moved() -> float:
    try:
        return _real() + int(Path(os.environ["CLOCK_FILE"]).read_text(encoding="ascii").removesuffix("d")) * DAY
    except (OSError, KeyError, ValueError):
        return _real()


time.time = _moved
