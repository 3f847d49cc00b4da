"""Checks an image's EXIF block, the camera's data on date, place and orientation.

The block is a small TIFF file (CIPA DC-008, Exif 2.32, section 4.6): a byte order, then directories of entries of 12
bytes each, whose values are in the entry itself or elsewhere in the block. Pillow skips invalid entries
with warnings, which cannot be assigned to threads; here every directory is read with bounds checks.
"""

import struct

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
DIRECTORIES = {0x8769: "camera", 0x8825: "place"}  # entries that point to another directory
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of a value, by type
SHORT, LONG = 3, 4


def fault(block: bytes) -> str:
    """What is wrong with an EXIF block; "" if it is valid or empty.

    Orientations from 0 (some cameras' value for "unknown") to 8 are valid.
    """
    block = block.removeprefix(PREFIX)
    if not block:
        return ""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return "it does not start like EXIF"
    try:
        (first,) = struct.unpack_from(order + "L", block, 4)
        return directory_fault(block, order, first, "first")
    except struct.error:
        return "it is truncated"


def directory_fault(block: bytes, order: str, start: int, name: str) -> str:
    """The first fault of the directory at byte `start` and its subdirectories; struct.error if it is truncated."""
    (count,) = struct.unpack_from(order + "H", block, start)
    inner: list[tuple[int, str]] = []
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values, offset = struct.unpack_from(order + "HHLL", block, place)
        if kind not in SIZES:
            return f"entry {tag:#06x} of its {name} directory has an unknown type"
        if (size := SIZES[kind] * values) > 4 and offset + size > len(block):
            return f"entry {tag:#06x} of its {name} directory points beyond its end"
        if tag == ORIENTATION and kind == SHORT:
            (orientation,) = struct.unpack_from(order + "H", block, place + 8)
            if orientation > 8:
                return f"its orientation is {orientation}, which is not valid"
        if tag in DIRECTORIES and kind == LONG and name not in DIRECTORIES.values():  # two levels, so no cycle
            inner.append((offset, DIRECTORIES[tag]))
    return next((found for offset, inside in inner if (found := directory_fault(block, order, offset, inside))), "")
