"""The contenders of `speed.py`, one process each: `python -m contenders.timm_side`, from the parent folder."""
