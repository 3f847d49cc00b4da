"""Small data sets in the layouts of others, and what is read from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from corolla.data.listing import RawDataset

Files = dict[str, str]  # their text by their path; "" for an image
Reading = dict[str, dict[str, int]]  # how many images are read by class by split ("" if there is none)


def lay(root: Path, files: Mapping[str, str] | Iterable[str]) -> Path:
    """Write the files of a set, or empty files if only names are given."""
    for name, text in (files if isinstance(files, Mapping) else dict.fromkeys(files, "")).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def reading(listing: RawDataset) -> Reading:
    """The contents of a listing."""
    found: Reading = {}
    for (split, label), count in Counter((each.split, each.label) for each in listing.examples).items():
        found.setdefault(split, {})[label] = count
    return found
