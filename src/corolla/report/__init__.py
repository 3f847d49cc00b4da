"""What a person reads about a run: curves, picture grids, `report.html` and the model card."""

import logging

# Without any handler Python prints a library's log to the terminal: where its cache lies, that it looks for fonts.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())
