"""Fonts for names in any script, and names in characters that they can draw."""

import unicodedata
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

# Matplotlib includes DejaVu Sans; systems have the others for scripts that it lacks.
CANDIDATES = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Nirmala UI",
    "WenQuanYi Zen Hei",
)
MISSING = "□"


@cache
def families() -> tuple[str, ...]:
    """The fonts of this machine, for `fontfamily`."""
    here = set(font_manager.get_font_names())
    return tuple(name for name in CANDIDATES if name in here)


@cache
def covered() -> frozenset[int]:
    """The code points that one of `families` can draw."""
    files = [font_manager.findfont(name, fallback_to_default=False) for name in families()]
    return frozenset(code for file in files for code in FT2Font(file).get_charmap())


def drawable(text: str) -> str:
    """The text on one line, with a box for every character that no font here has."""
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(character if ord(character) in covered() else MISSING for character in spaced)
