"""`report.html`: one page about a run that opens anywhere, offline, and shows its mistakes.

Class names, paths and everything else from a run or a folder of images may be hostile. Templates escape every value,
characters that HTML cannot hold are replaced, and the page forbids itself scripts and requests.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corolla.atomic import write_text
from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.evaluation.corruptions import Robustness
from corolla.evaluation.facts import began_with
from corolla.evaluation.metrics import Evaluation
from corolla.report import words
from corolla.report.sections import SECTIONS, Material
from corolla.run import Run

TEMPLATES = Path(__file__).parent / "templates"
# Control characters, lone surrogates and non-characters have no place in HTML; directional overrides could turn
# the rest of a line around.
UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


def write_report(
    run: Run,
    evaluation: Evaluation | None,
    manifest: Manifest | None,
    robustness: Robustness | None = None,
    classifier: Classifier | None = None,
    file: Path | None = None,
) -> Path:
    """Write the run's `report.html`, or one of another evaluation to `file`, whole or not at all; returns its path.

    Without an evaluation the page tells of the training alone. Images are looked for where the evaluation found
    them, or else under the manifest's root; one that is not there becomes a tile with the reason. With the classifier
    its surest mistakes are explained.
    Raises `CorollaError` if the run's config cannot be read.
    """
    material = Material(run, run.load_config(), evaluation, manifest, robustness, classifier)
    sections = [section for make in SECTIONS if (section := make(material)) is not None]
    page = environment().get_template("report.html.j2")
    values = {"run": run, "config": material.config, "begun": began_with(material.config), "evaluation": evaluation}
    write_text(file or run.report, page.render(**values, sections=sections))
    return file or run.report


def environment(*folders: Path) -> Environment:
    """Jinja with escaping always on and the filters that the templates use, those in `folders` before the report's."""
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES], encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=presentable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {name: getattr(words, name) for name in ("percent", "interval", "decimal", "whole", "points")}
    made.filters |= {"count_of": words.count, "svg": Markup, "class_of": class_of}
    return made


def presentable(value: Any) -> Any:
    """Text without the characters that a page cannot hold; anything else as it is."""
    return UNFIT.sub("\ufffd", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def class_of(cell: tuple[int, int]) -> str:
    """The CSS class and anchor of a cell of the confusion matrix; it is made of numbers alone."""
    return f"c{cell[0]}-{cell[1]}"
