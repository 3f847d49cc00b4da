"""The pictures of the README: the report and the predictions of a `make demo`, and the page of `corolla serve`.

    make demo
    python benchmarks/pictures.py demo          # writes into docs/images; --out another folder

The page shows painted images and noise, predicted by the bundled `flowers`. Needs a Chromium (`make browser`).
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from corolla.painted import paint
from exports import serving

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))
from browser import opened  # noqa: E402 - a module of the tests

COLORS = 256  # of a PNG: a page of a few colors and small photographs
MARGIN = 36  # pixels around a section
TRANSITION = 500  # milliseconds in which an explanation appears
GIVEN = (("sunflowers.jpg", "sunflower", 3), ("tulips by the wall.jpg", "tulip", 1))  # name, kind, seed


def save(picture: bytes, file: Path) -> None:
    """Write a picture as a PNG of few colors."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    image.save(file, optimize=True)
    print(f"{file}: {image.width} x {image.height}, {file.stat().st_size / 1000:.0f} kB")


def report(run: Path, out: Path) -> None:
    """The top of a run's report, with the explanations of its errors shown, and its section on confidence."""
    with opened(run / "report.html", width=1040, height=1480) as (page, _):
        page.get_by_role("checkbox").first.check()
        page.wait_for_timeout(TRANSITION)
        save(page.screenshot(), out / "report.png")
        section = page.locator("section", has=page.get_by_role("heading", name="Confidence", exact=True))
        box = section.bounding_box()
        assert box is not None
        edge = {"x": 0, "y": box["y"] - MARGIN, "width": 1040, "height": box["height"] + 2 * MARGIN}
        save(page.screenshot(full_page=True, clip=edge), out / "confidence.png")


def jpeg(kind: str, seed: int) -> bytes:
    """A painted image as a file."""
    file = io.BytesIO()
    paint(kind, seed, 640).save(file, "JPEG", quality=92)
    return file.getvalue()


def noise() -> bytes:
    """An image of no class."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def server_page(out: Path) -> None:
    """The page of `corolla serve flowers` with two painted images, one explained, and noise."""
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": jpeg(kind, seed)} for name, kind, seed in GIVEN]
    files.append({"name": "noise.png", "mimeType": "image/png", "buffer": noise()})
    with serving("flowers") as address, opened(address, width=1120, height=1400) as (page, _):
        page.locator("#files").set_input_files(files)
        expect(page.locator(".card .bars")).to_have_count(len(files))
        slider = page.locator(".card").nth(1).get_by_role("slider")
        slider.fill("75")
        slider.blur()
        expect(page.locator(".card .heat").nth(1)).to_be_visible()
        page.wait_for_timeout(TRANSITION)
        save(page.screenshot(full_page=True), out / "page.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("demo", type=Path, help="the folder of a `make demo`")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    report(given.demo / "run", given.out)
    save((given.demo / "predictions.png").read_bytes(), given.out / "predictions.png")
    server_page(given.out)
