"""Shifts Python's wall clock by the offset in the file `CLOCK_FILE`, such as `-40d`.

Python imports it automatically if this folder is on `PYTHONPATH`. The monotonic clock is not changed.
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
