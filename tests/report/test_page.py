"""The page as a browser reads it: whole, self-contained, escaped, and with every link leading somewhere."""

import base64
import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from browser import opened
from corolla.errors import CorollaError
from corolla.evaluation.robustness import CORRUPTIONS, Robustness
from corolla.report.gallery import MOST, RIGHT, RIGHT_BEHIND, SHOWN
from corolla.report.page import TEMPLATES, write_report
from corolla.run import Run
from webpage import Page, asks_for_nothing

MakeRun = Callable[..., Any]
NAMES = ("daisy", "rose", "tulip")


def test_the_page_says_what_was_found(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(NAMES)
    page = Page(write_report(run, evaluation, manifest))
    assert "66.7 %" in page.text
    assert "of 9 test images classified correctly; the 95 % interval runs from 35 to 88 %." in page.text
    assert "2.9 million" in page.text
    assert "6 of 6" in page.text
    assert "81.7 %" in page.text
    assert "Digest of the split: plain" in page.text
    assert "1 image was left out" in page.text
    assert [a["aria-label"].replace("\u00a0", " ") for a in page.all("figure") if "aria-label" in a][2:] == [
        "Over 6 epochs, training loss went from 2.00 to 0.33 and validation loss went from 1.80 to 0.30.",
        "Validation accuracy over 6 epochs; the best, 81.7 %, in epoch 6.",
    ]


def test_the_page_asks_for_nothing(make_run: MakeRun) -> None:
    page = Page(write_report(*make_run(NAMES)))
    assert asks_for_nothing(page)
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page.source))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not places
    [policy] = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_every_link_leads_somewhere_and_every_image_is_one(make_run: MakeRun) -> None:
    page = Page(write_report(*make_run(NAMES)))
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(ids.values()) == 1
    links = [a["href"][1:] for a in page.all("a")]
    assert set(links) <= ids.keys()
    assert {a["aria-labelledby"] for a in page.all("section")} <= ids.keys()
    images = page.all("img")
    assert len(images) == 9
    for image in images:
        assert image["alt"].startswith("Image labeled ")
        content = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(content)).size == (int(image["width"]), int(image["height"]))
        assert len(content) < 20_000


def test_a_cell_shows_the_images_behind_it(make_run: MakeRun) -> None:
    page = Page(write_report(*make_run(NAMES)))
    links = [a for a in page.all("a") if "aria-label" in a]
    assert [a["href"] for a in links] == ["#c0-0", "#c0-1", "#c1-1", "#c1-2", "#c2-0", "#c2-2"]
    assert links[1]["aria-label"] == "1 labeled daisy and predicted as rose: show them"
    for link in links:
        cell = link["href"][1:]
        assert [a.get("class") for a in page.all("p") if a.get("id") == cell] == ["chosen"]
        assert [a for a in page.all("figure") if a.get("class") == cell]
        assert f"#{cell}:target ~ .gallery > .{cell} {{ display: block; }}" in page.source
    rows = [row for row in page.source.split("<tr>") if 'class="wrong"' in row]
    assert len(rows) == 3


def test_of_many_mistakes_the_surest_are_shown_and_the_rest_is_told(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(tuple(f"kind {k:03}" for k in range(300)), images=1)
    page = Page(write_report(run, evaluation, manifest))
    figures = [a["class"] for a in page.all("figure") if "class" in a]
    assert len(figures) == MOST
    assert sum("later" not in classes for classes in figures) == SHOWN
    assert f"These are {SHOWN} of 300" in page.text
    assert "A matrix of 300 classes is not readable" in page.text
    assert not [a for a in page.all("table") if "matrix" in a.get("class", "")]
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {a["href"][1:] for a in page.all("a")} <= ids
    assert len(page.source) < 4_000_000


def test_a_class_has_its_most_doubtful_right_answers_behind_its_cell(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(NAMES, images=20)
    page = Page(write_report(run, evaluation, manifest))
    doubtful = min(np.flatnonzero(evaluation.correct), key=lambda place: evaluation.confidence[place])
    own = f"c{evaluation.labels[doubtful]}-{evaluation.labels[doubtful]}"
    right = [a["class"] for a in page.all("figure") if re.match(r"c(\d+)-\1\b", a.get("class", ""))]
    assert sum("later" not in classes for classes in right) == RIGHT
    assert all(sum(name in classes for classes in right) >= RIGHT_BEHIND for name in ("c0-0", "c1-1", "c2-2"))
    assert any(classes.startswith(own) for classes in right[-1:])


def test_a_run_that_was_not_evaluated_still_has_a_page(make_run: MakeRun) -> None:
    run, _, manifest = make_run(NAMES)
    page = Page(write_report(run, None, manifest))
    assert "Not evaluated yet" in page.text
    assert "81.7 %" in page.text
    assert [a["id"] for a in page.all("section")] == ["headline", "curves", "data", "training"]


def test_how_the_data_was_read_is_told(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(NAMES)
    [said] = run.load_config().data["notes"]
    assert " ".join(said.split()) in Page(write_report(run, evaluation, manifest)).text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {
                "random_resized_crop_scale": 1.0,
                "auto_augment": "none",
                "random_erasing_prob": 0.0,
                "mixup_cutmix_prob": 0.0,
            },
            "",
        ),
        (
            {"random_resized_crop_scale": 0.5, "auto_augment": "none"},
            "Training images are cropped at random (augmentation), so training loss",
        ),
        (
            {
                "random_resized_crop_scale": 0.5,
                "auto_augment": "light",
                "random_erasing_prob": 0.25,
                "mixup_cutmix_prob": 0.2,
                "teacher": "a",
            },
            "Training images are cropped, changed in color and shape, partly erased and mixed at random "
            "(augmentation), and their loss includes a distillation term, so training loss can be above validation",
        ),
        ({"auto_augment": "none", "teacher": "a"}, "The loss includes a distillation term, so training loss"),
    ],
)
def test_only_what_was_done_to_the_images_is_told(make_run: MakeRun, values: dict[str, Any], said: str) -> None:
    run, _, _ = make_run(NAMES)
    config = run.load_config()
    config.recipe.clear()
    config.recipe.update({"epochs": 6} | values)
    run.save_config(config)
    text = Page(write_report(run, None, None)).text
    assert said in text
    assert ("can be above" in text) == bool(said)


def test_a_probe_has_no_curve_and_no_augmentation(make_run: MakeRun) -> None:
    run, _, _ = make_run(NAMES)
    config = run.load_config()
    config.recipe.clear()
    config.recipe.update(
        {
            "name": "probe",
            "epochs": 0,
            "head": "probe",
            "random_resized_crop_scale": 0.3,
            "mixup_cutmix_prob": 0.5,
            "teacher": "",
        }
    )
    run.save_config(config)
    run.metrics_file.write_text('{"epoch": 0, "val_accuracy": 0.8125, "val_loss": 0.5}\n', encoding="utf-8")
    page = Page(write_report(run, None, None))
    assert "Validation accuracy: 81.2" in page.text
    assert not page.all("svg")
    for word in ("cropped", "mixed", "random_resized_crop_scale", "mixup_cutmix_prob", "best: "):
        assert word not in page.text, word


def test_missing_parts_are_left_out(make_run: MakeRun) -> None:
    run, evaluation, _ = make_run(NAMES)
    config = run.load_config()
    for part in (config.data, config.training, config.recipe, config.versions):
        part.clear()
    config.data["counts"] = {"train": "many"}
    config.data["skipped"] = config.data["notes"] = 3
    config.training["minutes"] = "long"
    run.save_config(config)
    run.metrics_file.write_text('3\n[]\n{"epoch": null}\n{"epoch": 1, "val_loss": NaN}\n', encoding="utf-8")
    page = Page(write_report(run, evaluation, None))
    assert "curves" in {a["id"] for a in page.all("section")}
    assert "Trained for" not in page.text


def test_images_that_are_gone_leave_a_tile_with_the_reason(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(NAMES)
    for example in manifest.examples:
        manifest.locate(example).unlink()
    page = Page(write_report(run, evaluation, manifest))
    assert not page.all("img")
    assert page.text.count("no image: no such file") == 9


def test_other_images_than_the_runs_own_are_named(make_run: MakeRun, tmp_path: Path) -> None:
    run, evaluation, manifest = make_run(NAMES)
    config = run.load_config()
    config.data["root"] = str(tmp_path / "old place")
    run.save_config(config)
    page = Page(write_report(run, evaluation, manifest))
    assert f"Evaluated on the images in {manifest.root} , not on the data" in page.text
    config.data["root"] = str(manifest.root / ".." / manifest.root.name)  # the same folder in other words
    run.save_config(config)
    assert "Evaluated on the images in" not in Page(write_report(run, evaluation, manifest)).text


@pytest.mark.parametrize(
    ("split", "trained_on", "said"),
    [
        ("train", 9, "the accuracy says nothing about new images"),
        ("val", 0, "chose the best epoch"),
        ("all", 4, "4 of these images were trained on: the accuracy is too optimistic"),
    ],
)
def test_what_a_figure_does_not_hold_is_said(make_run: MakeRun, split: str, trained_on: int, said: str) -> None:
    run, evaluation, manifest = make_run(NAMES)
    object.__setattr__(evaluation, "split", split)
    object.__setattr__(evaluation, "trained_on", trained_on)
    assert said in Page(write_report(run, evaluation, manifest)).text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="is not a run folder"):
        write_report(Run(tmp_path), None, None)


hostile = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "</style><script>",
            '"><img src=x onerror=alert(1)>',
            "' onmouseover='alert(1)",
            "{{ 7 * 7 }}{% raw %}",
            "&lt;b&gt; &amp; </bdi></td></table>",
            "-->]]><!--",
            "a\x00b\x1b[31m\u202egnp.exe",
            "javascript:alert(1)",
        ]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30),
).map(lambda text: text + "\u2007")  # never one of the tame names


@pytest.fixture(scope="module")
def tame(make_run: MakeRun) -> list[tuple[str, tuple[str, ...]]]:
    """The skeleton of a page whose names and words are harmless."""
    return Page(write_report(*make_run(NAMES, words="tame"))).skeleton()


@settings(max_examples=12)
@given(name=hostile, words=hostile)
def test_hostile_names_and_paths_stay_text(
    make_run: MakeRun, tame: list[tuple[str, tuple[str, ...]]], name: str, words: str
) -> None:
    page = Page(write_report(*make_run((name, "rose", "tulip"), words=words)))
    assert page.skeleton() == tame
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e]", page.source)


def test_a_hostile_folder_and_broken_text_stay_text(make_run: MakeRun, tame: list[tuple[str, tuple[str, ...]]]) -> None:
    run, evaluation, manifest = make_run(NAMES, words="tame", folder_name="<b onclick='x'>&\"{{ 1 }}")
    broken = run.config_file.read_text(encoding="utf-8").replace("tame", "\\ud800")  # half a surrogate pair
    run.config_file.write_text(broken, encoding="utf-8")
    page = Page(write_report(run, evaluation, manifest))
    assert page.skeleton() == tame
    assert "<b onclick='x'>&\"{{ 1 }}" in page.words
    assert "\ufffd" in page.words


def test_a_name_is_shown_letter_for_letter(make_run: MakeRun) -> None:
    name = '<b>向日葵 & "Sonnen"\'blume</b>'
    page = Page(write_report(*make_run((name, "rose", "tulip"))))
    assert page.words.count(name) >= 5
    assert any(a.get("title") == name for a in page.all("th"))


def luminance(color: str) -> float:
    channels = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(over: str, under: str, opacity: float) -> str:
    pairs = [(int(over[k : k + 2], 16), int(under[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_are_legible_in_both_themes(theme: int) -> None:
    """WCAG 2.2 asks for a contrast of 4.5 between text and what is behind it."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]))
    for text in ("ink", "soft", "accent"):
        for ground in ("paper", "card"):
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    shades = re.findall(r"background: var\(--(accent|quiet)\); opacity: calc\(([\d.]+) \* .*?\)( \+ [\d.]+)?\)", css)
    assert len(shades) == 2
    for shade, most, least in shades:  # the darkest cells of the matrix
        opacity = float(most) + float(least.strip(" +") or 0)
        assert contrast(colors["ink"], mixed(colors[shade], colors["card"], opacity)) >= 4.5, shade


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk", "telephone"])
def test_a_browser_opens_it_and_a_cell_shows_its_images(make_run: MakeRun, width: int, dark: bool) -> None:
    with opened(write_report(*make_run(NAMES)), width=width, dark=dark) as (page, complaints):
        images = page.locator("img")
        assert images.count() == 9
        images.last.scroll_into_view_if_needed()
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        page.get_by_label("1 labeled daisy and predicted as rose: show them").click()
        shown = page.locator("#mistakes figure:visible")
        assert shown.count() == 1
        assert "labeled daisy" in shown.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing hangs out at the side
        page.get_by_label("2 labeled tulip and predicted as tulip: show them").click()
        assert page.locator("#right figure:visible").count() == 2
        assert page.locator("#mistakes figure:visible").count() == 3
        assert complaints == []


def test_groups_and_damaged_images_are_told_where_they_were_measured(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(NAMES, images=10)
    object.__setattr__(evaluation, "groups", ("<i>anna", "bea") * 15)
    robust = Robustness(30, 27, {kind.name: (24, 20, 12, 6) for kind in CORRUPTIONS})
    page = Page(write_report(run, evaluation, manifest, robust))
    assert [a["id"] for a in page.all("section")].count("groups") == 1
    assert "<i>anna" in page.words
    assert "The mean accuracy over all of them is 51.7 %, without corruption 90.0 %" in page.text
    assert any(a.get("aria-label", "").startswith("rotation: accuracy") for a in page.all("figure"))
    few = make_run(NAMES)
    object.__setattr__(few[1], "groups", tuple("abcdefghi"))
    assert "groups" not in {a["id"] for a in Page(write_report(*few)).all("section")}
