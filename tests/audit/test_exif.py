"""EXIF blocks: whole ones are good, cut and bent ones are told, and no bytes make it fail."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corolla.audit.exif import PREFIX, fault


def block(**tags: object) -> bytes:
    """A block as Pillow writes it, with a directory of the camera's inside."""
    exif = Image.Exif()
    exif[0x010F] = tags.get("maker", "a camera with a long name")
    exif[0x0112] = tags.get("orientation", 6)
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:00:00"
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(9))
def test_a_whole_block_is_good(orientation: int) -> None:
    assert fault(block(orientation=orientation)) == ""
    assert fault(block(orientation=orientation).removeprefix(PREFIX)) == ""


def test_no_block_is_no_fault() -> None:
    assert fault(b"") == fault(PREFIX) == ""


def test_every_cut_is_told() -> None:
    whole = block()
    for length in range(len(PREFIX) + 1, len(whole) - 4):
        assert fault(whole[:length]), length


@pytest.mark.parametrize(
    ("bent", "said"),
    [
        (PREFIX + b"nothing", "it does not start like EXIF"),
        (PREFIX + b"MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 20, "entry 0xffff of its first directory has an unknown type"),
        (block(orientation=9), "its orientation is 9, which is not valid"),
        (block()[:-12], "points beyond its end"),
        (PREFIX + b"II*\0" + struct.pack("<L", 8), "it is truncated"),
    ],
)
def test_what_is_wrong_is_said(bent: bytes, said: str) -> None:
    assert said in fault(bent)


def test_a_directory_that_leads_back_to_itself_ends() -> None:
    entry = struct.pack("<HHLL", 0x8769, 4, 1, 8)
    assert fault(b"II*\0" + struct.pack("<LH", 8, 1) + entry + bytes(4)) == ""


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from([b"", PREFIX, PREFIX + b"II*\0", PREFIX + b"MM\0*\0\0\0\x08"]))
def test_any_bytes_have_an_answer(content: bytes, start: bytes) -> None:
    assert isinstance(fault(start + content), str)


@settings(max_examples=200)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_has_an_answer(place: int, value: int) -> None:
    whole = bytearray(block())
    whole[place % len(whole)] = value
    assert isinstance(fault(bytes(whole)), str)
