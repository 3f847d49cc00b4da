"""`report.html`: one self-contained page about a run, with its errors.

Class names, paths and everything else from a run or a folder of images may be hostile. Templates escape every value,
characters that HTML does not allow are replaced, and the page's CSP forbids scripts and requests.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corolla.atomic import write_text
from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.evaluation.facts import began_with
from corolla.evaluation.metrics import Evaluation
from corolla.evaluation.robustness import Robustness
from corolla.report import words
from corolla.report.sections import SECTIONS, Material
from corolla.run import Run

TEMPLATES = Path(__file__).parent / "templates"
# Control characters, lone surrogates and non-characters are not allowed in HTML; directional overrides could reverse
# the rest of a line.
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
    """Write the run's `report.html`, or one of another evaluation to `file`, atomically; returns its path.

    Without an evaluation, the page describes only the training. Images are read from the evaluation's root, or else
    from the manifest's; a missing one becomes a tile with the reason. With the classifier, its most confident errors
    are explained.
    Raises `CorollaError` if the run's config cannot be read.
    """
    material = Material(run, run.load_config(), evaluation, manifest, robustness, classifier)
    sections = [section for make in SECTIONS if (section := make(material)) is not None]
    page = environment().get_template("report.html.j2")
    values = {"run": run, "config": material.config, "begun": began_with(material.config), "evaluation": evaluation}
    write_text(file or run.report, page.render(**values, sections=sections))
    return file or run.report


def environment(*folders: Path) -> Environment:
    """Jinja with escaping always on and the templates' filters; templates in `folders` come before the report's."""
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
    """Text without the characters that HTML does not allow; anything else unchanged."""
    return UNFIT.sub("\ufffd", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def class_of(cell: tuple[int, int]) -> str:
    """The CSS class and anchor of a cell of the confusion matrix; it is made of numbers only."""
    return f"c{cell[0]}-{cell[1]}"
