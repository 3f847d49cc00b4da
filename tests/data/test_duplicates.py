import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from corolla.data import duplicates
from corolla.data.duplicates import FINGERPRINT_BYTES, THRESHOLD, contradictions, fingerprint, near_duplicates
from corolla.data.manifest import Example


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """An image with structure at several sizes, as photographs have."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for side in (4, 8, 16):
        noise = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        total += np.asarray(noise.resize(size, Image.Resampling.BICUBIC), float) / side
    return Image.fromarray(np.uint8(255 * (total - total.min()) / np.ptp(total)))


def saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def connected(pairs: list[tuple[int, int]], n: int) -> list[int]:
    """The lowest position that each position is connected with."""
    lowest = list(range(n))
    for _ in range(n):
        for a, b in pairs:
            lowest[a] = lowest[b] = min(lowest[a], lowest[b])
    return lowest


@pytest.mark.parametrize(
    "change",
    [
        lambda image: saved(image, 40),
        lambda image: image.resize((200, 150), Image.Resampling.LANCZOS),
        lambda image: saved(image.resize((640, 480), Image.Resampling.BICUBIC), 80),
        lambda image: ImageEnhance.Brightness(image).enhance(0.9),
        lambda image: image.convert("L"),
        lambda image: image.resize((320, 200)),  # another shape, the same content
    ],
)
def test_copies_of_an_image_are_found(change) -> None:
    originals = [scene(seed) for seed in range(12)]
    prints = [fingerprint(image) for image in (*originals, *map(change, originals))]
    pairs = list(near_duplicates(prints))
    assert sorted(tuple(sorted(pair)) for pair in pairs) == [(n, n + 12) for n in range(12)]


def test_different_images_are_not_tied() -> None:
    assert list(near_duplicates([fingerprint(scene(seed, (80, 60))) for seed in range(150)])) == []


def test_flat_images_match_nothing() -> None:
    flat = [fingerprint(Image.new("RGB", (50, 50), color)) for color in ("white", "black", "red", "white")]
    assert flat == [bytes(FINGERPRINT_BYTES)] * 4
    assert list(near_duplicates(flat)) == []


def test_drawings_on_an_empty_ground_stay_apart() -> None:
    drawings = []
    for place in range(0, 200, 40):
        drawing = Image.new("L", (224, 224), "black")
        drawing.paste("white", (place, 60, place + 14, 160))
        drawings.append(fingerprint(drawing))
    assert list(near_duplicates(drawings)) == []


def test_equal_prints_are_chained_and_not_paired_each_with_each() -> None:
    same = fingerprint(scene(1))
    pairs = list(near_duplicates([same] * 200))
    assert len(pairs) == 199
    assert set(connected(pairs, 200)) == {0}


prints = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(0, 255), max_size=40)), min_size=0, max_size=30
).map(lambda rows: [flipped(seed, bits) for seed, bits in rows])


def flipped(seed: int, bits: list[int]) -> bytes:
    base = np.random.default_rng(seed).random(256) < 0.1 + 0.1 * seed
    base[bits] ^= True
    return np.packbits(base).tobytes()


@settings(max_examples=100)
@given(prints, st.sampled_from([1, 3, 2048]))
def test_the_same_sets_as_by_comparing_each_with_each(prints: list[bytes], block: int) -> None:
    bits = np.unpackbits(np.frombuffer(b"".join(prints), np.uint8).reshape(-1, FINGERPRINT_BYTES), axis=1).astype(bool)
    expected = []
    for a in range(len(prints)):
        for b in range(a):
            union = (bits[a] | bits[b]).sum()
            if union and (bits[a] ^ bits[b]).sum() <= THRESHOLD * union:
                expected.append((a, b))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", block)
        found = list(near_duplicates(prints))
    assert connected(found, len(prints)) == connected(expected, len(prints))


def test_contradictions() -> None:
    examples = [
        Example("tulip/1.jpg", "tulip", sha256="a"),
        Example("rose/1.jpg", "rose", sha256="a"),
        Example("rose/2.jpg", "rose", sha256="b"),
        Example("rose/3.jpg", "rose", sha256="b"),
        Example("rose/4.jpg", "rose"),
        Example("tulip/4.jpg", "tulip"),
    ]
    assert contradictions(examples) == [(examples[1], examples[0])]


def test_a_long_comparison_shows_how_far_it_is() -> None:
    few = [np.random.default_rng(number).bytes(32) for number in range(3000)]
    seen: list[tuple[str, int, int]] = []
    list(near_duplicates(few[:2000], lambda *now: seen.append(now)))
    assert seen == []
    list(near_duplicates(few, lambda *now: seen.append(now)))
    assert seen == [("comparing", 2048, 3000), ("comparing", 3000, 3000)]
