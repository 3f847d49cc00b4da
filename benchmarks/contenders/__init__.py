"""The contenders of `speed.py`, a process each: `python -m contenders.timm_side`, from the folder above."""
