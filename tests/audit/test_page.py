"""The audit's page as a browser takes it apart."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.audit.charts import size_charts
from corolla.audit.findings import Findings
from corolla.audit.images import Look
from corolla.audit.labels import LabelCheck
from corolla.audit.page import IN_A_SET, SETS, SUSPECTS, write_page
from corolla.audit.run_audit import audit
from webpage import Page, asks_for_nothing


def judged(findings: Findings, weights: str = "w") -> Findings:
    """The same with every red label called blue."""
    paths = tuple(image.path for image in findings.used)
    labels = np.array([findings.classes.index(image.example.label) for image in findings.used])
    seen = np.where(labels == len(findings.classes) - 1, 0, labels)
    seen[labels.argmax()] = labels.max()  # but for one
    pred_probs = np.full((len(paths), len(findings.classes)), 0.05)
    pred_probs[np.arange(len(paths)), seen] = 0.9
    return replace(findings, labels=LabelCheck(weights, findings.classes, paths, labels, pred_probs, 5))


@pytest.fixture(scope="module")
def found(flawed: Path) -> Findings:
    return judged(audit(flawed))


@pytest.fixture(scope="module")
def page(found: Findings, tmp_path_factory: pytest.TempPathFactory) -> Page:
    file = tmp_path_factory.mktemp("page") / "audit.html"
    write_page(found, file)
    return Page(file)


def test_the_page_says_what_was_found(page: Page, found: Findings) -> None:
    text = page.text.replace("\u00a0", " ")
    assert "38 images · 3 classes" in text
    assert "1 photograph is labeled with more than one class." in text
    assert "not an image in a known format" in text
    assert found.labels is not None
    assert f"{len(found.labels.suspects)} are likely wrong by confident learning" in text
    assert "across classes" in text
    assert "This data has no splits yet" in text
    assert "210 x 100 pixels" in text
    assert [a["id"] for a in page.all("section")] == [
        "headline", "labels", "copies", "unreadable", "odd", "classes", "sizes",
    ]  # fmt: skip


def test_it_asks_for_nothing_and_every_link_leads_somewhere(page: Page) -> None:
    assert asks_for_nothing(page)
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(ids.values()) == 1
    assert {a["href"][1:] for a in page.all("a")} <= ids.keys()
    assert {a["aria-labelledby"] for a in page.all("section")} <= ids.keys()
    assert all(a["alt"].startswith("Image labeled ") for a in page.all("img"))


def test_files_of_the_same_bytes_share_a_tile(page: Page, found: Findings) -> None:
    assert found.labels is not None
    exact, near, odd = len(found.exact), 2, 5
    assert len(page.all("img")) == len(found.labels.suspects) + exact + near + odd
    assert "blue/also green.png" in page.words
    assert "green/00.png" in page.words


def test_without_weights_there_are_no_labels_and_the_page_says_how(sound: Path, tmp_path: Path) -> None:
    write_page(audit(sound), tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert [a["id"] for a in page.all("section")] == ["headline", "classes", "sizes"]
    assert "No problems found." in page.text
    assert "corolla audit DATA --weights NAME_OR_PATH" in page.text


def test_of_much_the_page_shows_some_and_says_so(found: Findings, tmp_path: Path) -> None:
    many = replace(found.near[0], images=found.near[0].images[:1] + found.used)
    assert found.labels is not None
    check = found.labels
    times = 1 + SUSPECTS // len(check.suspects)
    labels = LabelCheck(
        "w", check.classes, check.paths * times, np.tile(check.labels, times), np.tile(check.pred_probs, (times, 1)), 5
    )
    write_page(replace(found, near=(many,) * (SETS + 3), labels=labels), tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    text = page.text.replace("\u00a0", " ")
    assert f"{SETS + 3} sets, of which {SETS} are shown" in text
    assert f"The most suspicious first, {SUSPECTS} of them" in text
    assert len(page.all("img")) == SUSPECTS + len(found.exact) + SETS * IN_A_SET + 5
    assert len(page.source) < 6_000_000


def test_images_that_are_gone_leave_a_tile_with_the_reason(found: Findings, tmp_path: Path) -> None:
    write_page(replace(found, root=tmp_path / "moved"), tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert not page.all("img")
    assert page.text.count("no image: no such file") > 5


def test_nothing_readable_still_has_a_page(found: Findings, tmp_path: Path) -> None:
    empty = replace(found, images=(), exact=(), near=(), labels=None, refusal="no readable image")
    write_page(empty, tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert [a["id"] for a in page.all("section")] == ["headline", "unreadable", "classes"]


hostile = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "</style><script>",
            '"><img src=x onerror=alert(1)>',
            "{{ 7 * 7 }}",
            "a\x00\u202eb",
        ]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30),
)


def renamed(findings: Findings, text: str) -> Findings:
    """The same findings with the text wherever the user's words may stand."""

    def name(label: str) -> str:
        return f"{label}{text}"

    def again(images: tuple) -> tuple:
        return tuple(
            replace(p, example=replace(p.example, path=name(p.path), label=name(p.example.label)), left_out=text)
            for p in images
        )

    check = findings.labels
    assert check is not None
    return replace(
        findings,
        source=f"somewhere{text}".replace("\x00", ""),
        classes=tuple(name(label) for label in findings.classes),
        images=(*again(findings.images), *findings.images),
        unreadable=tuple((replace(e, path=name(e.path), label=name(e.label)), text) for e, _ in findings.unreadable),
        refusal=text,
        exact=tuple(replace(copies, images=again(copies.images)) for copies in findings.exact),
        near=tuple(replace(copies, images=again(copies.images)) for copies in findings.near),
        groups=((text, ("train", "test")),),
        labels=LabelCheck(
            text, tuple(name(label) for label in check.classes), tuple(name(path) for path in check.paths),
            check.labels, check.pred_probs, 5,
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def tame(found: Findings, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, tuple[str, ...]]]:
    file = tmp_path_factory.mktemp("tame") / "a.html"
    write_page(renamed(found, "tame"), file)
    return Page(file).skeleton()


@settings(max_examples=8)
@given(text=hostile)
def test_hostile_words_stay_text(
    found: Findings, tame: list[tuple[str, tuple[str, ...]]], tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.mktemp("hostile") / "a.html"
    write_page(renamed(found, text), file)
    assert Page(file).skeleton() == tame


@pytest.mark.parametrize("sizes", [[(1, 1)], [(224, 224)] * 5, [(1, 8000), (8000, 1)], [(30, 20), (6000, 4000)]])
def test_charts_of_any_sizes(sizes: list[tuple[int, int]]) -> None:
    panels = size_charts([Look(*size, gray=False, blank=False, exif="") for size in sizes])
    assert len(panels) == 2
    assert all(drawing.startswith("<svg") and drawing.rstrip().endswith("</svg>") for _, drawing in panels)
    assert f"Shorter sides run from {min(map(min, sizes)):,}" in panels[0][0]
