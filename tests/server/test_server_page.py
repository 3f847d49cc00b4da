"""The page in a real browser: images dropped, pasted and chosen, by mouse, keyboard and thumb, with no other host."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from browser import opened
from corolla.server.limits import Limits
from corolla.server.model import Served, load_served

DROP = """
([name, type, content, how]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], name, { type }));
    const event = how === "paste"
        ? new ClipboardEvent("paste", { clipboardData: carried, bubbles: true })
        : new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(event);
}
"""


@contextmanager
def visiting(server: Any, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """The page, loaded, and what it complained of; nothing may have gone to another host by the end."""
    asked: list[str] = []
    with opened(server.address, asked=asked, **options) as (page, complaints):
        page.on("filechooser", lambda _: None)  # held from now on, for it may open before a test waits for it
        expect(page.locator("#zone, #token").locator("visible=true")).to_have_count(1)
        yield page, complaints
    own = (server.address, "data:", f"blob:{server.address}")
    assert [url for url in asked if not url.startswith(own)] == []
    assert server.address in asked


def give(page: Page, name: str, content: bytes, how: str = "drop", kind: str = "image/jpeg") -> None:
    """Drop or paste a file, as the system would hand it to the page."""
    import base64

    page.evaluate(DROP, [name, kind, base64.b64encode(content).decode(), how])


def payload(name: str, content: bytes, kind: str = "image/jpeg") -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": content}


def opacity(page: Page) -> float:
    heat = page.locator(".card .heat").first
    return float(heat.evaluate("element => getComputedStyle(element).opacity"))


def width_fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_dropped_image_is_named_and_explained(server: Any, painted: dict[str, bytes]) -> None:
    with visiting(server) as (page, complaints):
        expect(page.locator("h1")).to_have_text("flowers")
        give(page, "garden.jpg", painted["sunflowers"])
        card = page.locator(".card")
        expect(card.locator(".answer")).to_contain_text("sunflowers")
        expect(card.locator(".bars li")).to_have_count(5)
        expect(card.locator(".bars li").first).to_contain_text("sunflowers")
        expect(page.locator("#said")).to_contain_text("garden.jpg: sunflowers")
        assert card.locator(".image").evaluate("element => element.naturalWidth") > 0
        expect(card.locator(".heat")).to_be_hidden()
        slider = card.get_by_label("Explanation")
        slider.fill("100")
        expect(card.locator(".heat")).to_be_visible()
        full = opacity(page)
        slider.fill("50")
        assert 0.3 < opacity(page) < full
        slider.fill("0")
        expect(card.locator(".heat")).to_be_hidden()
    assert complaints == []


def test_a_pasted_image_is_named(server: Any, painted: dict[str, bytes]) -> None:
    with visiting(server) as (page, complaints):
        give(page, "image.png", painted["tulips"], how="paste")
        expect(page.locator(".card .answer")).to_contain_text("tulips")
    assert complaints == []


def test_the_explanation_lies_on_the_part_that_was_looked_at(server: Any, painted: dict[str, bytes]) -> None:
    wide = Image.open(io.BytesIO(painted["roses"])).resize((600, 300))
    buffer = io.BytesIO()
    wide.save(buffer, "JPEG")
    with visiting(server) as (page, _):
        give(page, "wide.jpg", buffer.getvalue())
        page.get_by_label("Explanation").fill("90")
        whole, part = (page.locator(f".card .{name}").bounding_box() for name in ("image", "heat"))
    assert whole
    assert part
    assert whole["width"] == pytest.approx(2 * whole["height"], rel=0.02)
    assert part["width"] == pytest.approx(whole["height"], rel=0.02)
    assert part["x"] - whole["x"] == pytest.approx(whole["width"] / 4, rel=0.02)
    assert part["height"] == pytest.approx(whole["height"], rel=0.02)


def test_a_text_file_is_an_error_on_its_card(server: Any) -> None:
    with visiting(server) as (page, _):
        give(page, "notes.txt", b"a letter", kind="text/plain")
        expect(page.locator(".card.failed .answer")).to_have_text(
            "cannot read notes.txt: not an image in a known format"
        )
        expect(page.locator(".card .bars li")).to_have_count(0)
        expect(page.locator(".card .why")).to_be_hidden()


def test_what_is_unlike_everything_is_none_of_the_classes(server: Any) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    with visiting(server) as (page, complaints):
        give(page, "noise.png", buffer.getvalue(), kind="image/png")
        card = page.locator(".card.none")
        expect(card.locator(".answer")).to_have_text("none of these classes")
        expect(card.locator(".note")).to_contain_text("OOD score")
        assert "grayscale" in card.locator(".bars").evaluate("element => getComputedStyle(element).filter")
    assert complaints == []


def test_several_images_at_once_keep_their_places(server: Any, painted: dict[str, bytes]) -> None:
    with visiting(server) as (page, complaints):
        page.set_input_files("#files", [payload(f"{label}.jpg", image) for label, image in painted.items()])
        expect(page.locator("#count")).to_have_text("5\N{NO-BREAK SPACE}images")
        for place, label in enumerate(painted):
            card = page.locator(".card").nth(place)
            expect(card.locator(".file span")).to_have_text(f"{label}.jpg")
            expect(card.locator(".answer")).to_contain_text(label)
        page.get_by_role("button", name="Remove roses.jpg").click()
        expect(page.locator(".card")).to_have_count(4)
        page.get_by_role("button", name="Remove all").click()
        expect(page.locator(".card")).to_have_count(0)
    assert complaints == []


def test_a_keyboard_is_enough(server: Any, painted: dict[str, bytes]) -> None:
    with visiting(server) as (page, complaints):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Choose images")).to_be_focused()
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files([payload("daisy.jpg", painted["daisy"])])
        expect(page.locator(".answer")).to_contain_text("daisy")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Remove daisy.jpg")).to_be_focused()
        page.keyboard.press("Tab")
        slider = page.get_by_label("Explanation")
        expect(slider).to_be_focused()
        assert slider.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
        page.keyboard.press("End")
        assert opacity(page) > 0.5
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".card")).to_have_count(0)
        expect(page.get_by_role("button", name="Choose images")).to_be_focused()
    assert complaints == []


def test_a_phone_can_photograph(server: Any, painted: dict[str, bytes]) -> None:
    with visiting(server, width=360, height=740, touch=True) as (page, complaints):
        assert width_fits(page)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Take a photograph").tap()
        assert page.locator("#camera").get_attribute("capture") == "environment"
        chooser.value.set_files([payload("image.jpg", painted["dandelion"])])
        expect(page.locator(".answer")).to_contain_text("dandelion")
        assert width_fits(page)
        for name in ("Choose images", "Take a photograph"):
            box = page.get_by_role("button", name=name).bounding_box()
            assert box
            assert box["height"] >= 44  # what a thumb hits
    assert complaints == []


def test_a_mouse_is_offered_no_camera(server: Any) -> None:
    with visiting(server) as (page, _):
        expect(page.get_by_role("button", name="Take a photograph")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(server: Any, painted: dict[str, bytes], dark: bool) -> None:
    """By WCAG's contrast, 4.5 : 1 for text of this size."""
    with visiting(server, dark=dark) as (page, complaints):
        give(page, "daisy.jpg", painted["daisy"])
        expect(page.locator(".answer")).to_contain_text("daisy")
        for selector, ground in ((".answer", ".card"), (".share", ".card"), (".under", "body"), ("#choose", "#choose")):
            text = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
            behind = page.locator(ground).first.evaluate("element => getComputedStyle(element).backgroundColor")
            lighter, darker = sorted((luminance(text), luminance(behind)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, selector
    assert complaints == []


def luminance(color: str) -> float:
    """The relative luminance of `rgb(r, g, b)`, WCAG 2.2."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_token_is_asked_for_and_used(flowers: Served, serving: Any, painted: dict[str, bytes]) -> None:
    with serving(flowers, token="ours") as server, visiting(server) as (page, _):
        page.get_by_label("This server requires a token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The token is wrong.")
        page.get_by_label("This server requires a token").fill("ours")
        page.keyboard.press("Enter")
        expect(page.locator("#zone")).to_be_visible()
        give(page, "a.jpg", painted["roses"])
        expect(page.locator(".answer")).to_contain_text("roses")


def test_a_busy_server_is_asked_again(flowers: Served, serving: Any, painted: dict[str, bytes]) -> None:
    """One image fits into its queue, and four are sent at once."""
    with serving(flowers, Limits(queue=1)) as server, visiting(server) as (page, _):
        page.set_input_files(
            "#files", [payload(f"{label}.jpg", painted[label]) for label in ("daisy", "roses", "tulips")]
        )
        for place, label in enumerate(("daisy", "roses", "tulips")):
            expect(page.locator(".card").nth(place).locator(".answer")).to_contain_text(label, timeout=20_000)


def test_it_says_which_model_when_trained_and_how_accurate(serving: Any, trained: Path) -> None:
    """And leads to the report, which may run nothing and ask for nothing."""
    figures = json.loads((trained / "evaluation.json").read_text(encoding="utf-8"))
    with serving(load_served(trained)) as server:
        with visiting(server) as (page, complaints):
            facts = page.locator("#facts")
            expect(page.locator("h1")).to_have_text("swatches")
            expect(page.locator("#classes")).to_contain_text("blue, green, red")
            expect(facts).to_contain_text(
                f"{100 * figures['accuracy']:.1f}\N{NO-BREAK SPACE}% of {figures['n']} test images"
            )
            expect(facts).to_contain_text("trained")
            page.get_by_role("link", name="Read its report").click()
            expect(page.locator("h1")).to_contain_text("swatches")
        assert complaints == []
        security = server.get("/report").headers["content-security-policy"]
        assert security.startswith("sandbox")
        assert "script-src" not in security
        assert "default-src 'none'" in security


def test_the_page_about_the_api_shows_every_address(server: Any) -> None:
    asked: list[str] = []
    with opened(server.address + "docs", asked=asked) as (page, complaints):
        for path in ("/v1/predict", "/v1/model", "/healthz", "/readyz", "/metrics"):
            expect(page.get_by_role("heading", name=path)).to_be_visible()
        expect(page.get_by_text("curl -F files=@rose.jpg")).to_be_visible()
    assert all(url.startswith((server.address, "data:")) for url in asked)
    assert complaints == []
