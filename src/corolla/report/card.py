"""The run's README.md: a model card with the model, its accuracy, its data and its limitations.

The layout follows the Hugging Face hub's: YAML between two lines of dashes, then Markdown. Class names and whatever
else comes from data may be hostile, so every value is escaped as Markdown unless the template says that it is YAML or
code.
"""

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corolla.atomic import write_text
from corolla.evaluation.facts import began_with
from corolla.evaluation.metrics import Evaluation
from corolla.report import facts, words
from corolla.report.page import TEMPLATES, presentable
from corolla.run import Run

MOST_CLASSES = 100  # rows of the table of classes
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_card(run: Run, evaluation: Evaluation | None) -> Path:
    """Write the run's `README.md`, atomically, and return its path.

    Without an evaluation, the card says that the run is not evaluated yet. Raises `CorollaError` if the run's config
    cannot be read.
    """
    config = run.load_config()
    folder = run.folder.absolute().name
    counts = facts.counts(config)
    other = facts.elsewhere(config, evaluation) if evaluation else None
    card = environment().get_template("card.md.j2")
    text = card.render(
        name=folder,
        # The name is part of commands to copy, so it must need no quotes in any shell.
        place=folder if PLAIN_NAME.fullmatch(folder) else "RUN",
        config=config,
        begun=began_with(config),
        classes=config.classes[:MOST_CLASSES],
        more_classes=max(len(config.classes) - MOST_CLASSES, 0),
        calibrated=run.calibration.is_file(),
        evaluation=evaluation,
        per_class=evaluation.per_class[:MOST_CLASSES] if evaluation else (),
        measured=facts.measured_on(evaluation) if evaluation else "",
        chance=facts.chance(evaluation) if evaluation else None,
        caveats=facts.caveats(evaluation) if evaluation else [],
        elsewhere=other.name if other else "",
        verdict=facts.verdict(config),
        facts=facts.training(config),
        recipe=facts.recipe(config),
        counts=counts,
        splits=[facts.SPLIT_NAMES[split] for split in counts.splits] if counts else [],
        skipped=sum(one.count for one in facts.skipped(config)),
        source=facts.source_name(config),
        digest=facts.text(config.data.get("digest")),
    )
    write_text(run.card, text)
    return run.card


def environment() -> Environment:
    """Jinja that escapes every value as Markdown, with filters for YAML and code."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=False,  # that would be HTML's escaping; `finalize` does Markdown's
        undefined=StrictUndefined,
        finalize=markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {name: getattr(words, name) for name in ("percent", "interval", "decimal", "whole")}
    made.filters |= {"count_of": words.count, "yaml": yaml, "code": code}
    return made


def markdown(value: Any) -> Any:
    """Text escaped for Markdown, on one line, also inside a table; Markup and numbers unchanged."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    line = " ".join(str(presentable(value)).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$!@])", r"\\\1", line)


def yaml(value: Any) -> Markup:
    """Text in YAML's double quotes, which are those of JSON except for the line breaks that only YAML has."""
    quoted = json.dumps(presentable(value), ensure_ascii=False)
    return Markup(re.sub("[\u2028\u2029\ufeff]", lambda match: f"\\u{ord(match[0]):04x}", quoted))


def code(value: Any) -> Markup:
    """Text as a span of code, on one line; a backquote or a bar would end the span or the table's cell."""
    line = " ".join(str(presentable(str(value))).split())
    return Markup("`" + line.replace("`", "'").replace("|", "¦") + "`")
