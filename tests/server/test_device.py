"""The page that answers by itself: the served file, computed by ONNX Runtime in a real browser."""

import gzip
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from browser import opened
from corolla.classifier import Classifier
from corolla.export.onnx import build, with_card
from corolla.onnx_runtime.metadata import OnnxMetadata
from corolla.painted import paint
from corolla.preprocessing import CropMode, Preprocessing
from corolla.server.app import PAGE
from corolla.server.model import Served, load_served

OLD = Path(__file__).parents[1] / "compat"


def export(preprocessing: Preprocessing | None, folder: Path) -> Served:
    """The run that comes with corolla, as a file."""
    flowers = Classifier.load("flowers")
    flowers.preprocessing = preprocessing or flowers.preprocessing
    assert flowers.calibration
    scores = flowers.calibration.ood_detector.name
    card = OnnxMetadata("flowers", flowers.classes, flowers.preprocessing, "fp32", flowers.calibration, scores, {})
    file = folder / "flowers.onnx"
    file.write_bytes(with_card(build(flowers), card))
    return load_served(file)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return export(None, tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def of_file(exported: Served, serving: Any) -> Iterator[Any]:
    with serving(exported) as running:
        yield running


def answer_here(page: Page) -> None:
    page.get_by_label("Predict on this device").check()
    expect(page.locator("#said")).to_have_text("The model is ready.", timeout=30_000)


def test_it_answers_as_the_server_does_and_sends_it_nothing(
    of_file: Any, exported: Served, painted: dict[str, bytes]
) -> None:
    asked: list[str] = []
    with opened(of_file.address, asked=asked) as (page, complaints):
        answer_here(page)
        files = [{"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": painted[name]} for name in painted]
        page.locator("#files").set_input_files(files)
        for name, content in painted.items():
            card = page.locator(".card").filter(has_text=f"{name}.jpg")
            expect(card.locator(".answer")).to_contain_text(name, timeout=30_000)
            expected = exported.predictor.predict(content)
            told = dict(re.findall(r"(\w+)\n+([\d.]+)", card.locator(".bars").inner_text()))
            for label, probability in expected.top:
                assert float(told[label]) == pytest.approx(100 * probability, abs=1.0)  # another decoder of JPEG
        card.get_by_label("Explanation").fill("80")
        expect(card.locator(".heat")).to_be_visible()
        assert complaints == []
    assert not [url for url in asked if url.endswith("/v1/predict")]
    assert not [url for url in asked if not url.startswith((of_file.address, f"blob:{of_file.address}", "data:"))]


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_it_looks_at_the_part_of_an_image_that_the_server_looks_at(
    serving: Any, crop_mode: CropMode, tmp_path: Path
) -> None:
    preprocessing = Preprocessing(Classifier.load("flowers").preprocessing.image_size, 0.9, crop_mode=crop_mode)
    served = export(preprocessing, tmp_path)
    buffer = io.BytesIO()
    image = Image.fromarray(
        np.hstack([paint(kind, 3, 200).resize((200, 150)) for kind in ("rose", "sunflower", "tulip")])
    )
    image.save(buffer, "PNG")
    left, top, right, bottom = preprocessing.crop_box(*image.size)
    with serving(served) as running, opened(running.address) as (page, complaints):
        answer_here(page)
        page.locator("#files").set_input_files(
            [{"name": "wide.png", "mimeType": "image/png", "buffer": buffer.getvalue()}]
        )
        bars = page.locator(".card .bars")
        expect(bars).to_be_visible(timeout=30_000)
        told = dict(re.findall(r"(\w+)\n+([\d.]+)", bars.inner_text()))
        for label, probability in served.predictor.predict(buffer.getvalue()).top:
            assert float(told[label]) == pytest.approx(100 * probability, abs=0.3)
        page.get_by_label("Explanation").fill("80")
        seen, heat = (page.locator(f".card {each}").bounding_box() for each in (".image", ".heat"))
        assert seen
        assert heat
        assert heat["width"] / seen["width"] == pytest.approx((right - left) / image.width, abs=0.01)
        assert heat["height"] / seen["height"] == pytest.approx((bottom - top) / image.height, abs=0.01)
        assert complaints == []


def test_a_file_of_corolla_0_1_answers_in_the_browser_too(serving: Any) -> None:
    served = load_served(OLD / "run.onnx")
    image = sorted((OLD / "images").iterdir())[0]
    with serving(served) as running, opened(running.address) as (page, complaints):
        answer_here(page)
        page.locator("#files").set_input_files(str(image))
        bars = page.locator(".card .bars")
        expect(bars).to_be_visible(timeout=30_000)
        told = dict(re.findall(r"(\w+)\n+([\d.]+)", bars.inner_text()))
        for label, probability in served.predictor.predict(image).top:
            assert float(told[label]) == pytest.approx(100 * probability, abs=1.0)  # another decoder of JPEG
        assert complaints == []


def test_what_is_no_image_and_what_is_no_flower(of_file: Any) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(buffer, "PNG")
    with opened(of_file.address) as (page, _):
        answer_here(page)
        page.locator("#files").set_input_files(
            [
                {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no image"},
                {"name": "noise.png", "mimeType": "image/png", "buffer": buffer.getvalue()},
            ]
        )
        cards = page.locator(".card")
        expect(cards.filter(has_text="notes.txt").locator(".answer")).to_contain_text("not an image", timeout=30_000)
        expect(cards.filter(has_text="noise.png").locator(".answer")).to_have_text("none of these classes")


def test_a_run_is_asked_on_the_server_alone(server: Any) -> None:
    assert server.get("/v1/model").json()["device"] is None
    assert server.get("/v1/model/file").status_code == 404
    with opened(server.address) as (page, _):
        expect(page.locator("#zone")).to_be_visible()
        expect(page.locator("#here")).to_be_hidden()


def test_the_file_is_given_to_who_may_ask(exported: Served, serving: Any) -> None:
    with serving(exported, token="secret") as running:
        assert running.get("/v1/model/file").status_code == 401
        answer = running.get("/v1/model/file", headers={"Authorization": "Bearer secret"})
        assert exported.file
        assert answer.content == exported.file.read_bytes()


def test_the_runtime_is_what_its_readme_says(of_file: Any) -> None:
    folder = PAGE / "ort"
    [version] = re.findall(r"^# ONNX Runtime Web ([\d.]+)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert f"ONNX Runtime Web v{version}" in (folder / "ort.wasm.min.mjs").read_text(encoding="utf-8")[:200]
    answer: httpx.Response = of_file.get("/page/ort/ort-wasm-simd-threaded.wasm")
    assert answer.headers["content-type"] == "application/wasm"
    kept = gzip.decompress((folder / "ort-wasm-simd-threaded.wasm.gz").read_bytes())
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(kept).digest()
    assert kept[:4] == b"\0asm"
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs"):
        assert "sourceMappingURL" not in Path(folder / name).read_text(encoding="utf-8")
        assert of_file.get(f"/page/ort/{name}").status_code == 200
