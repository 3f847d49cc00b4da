"""The model card: its YAML parses, its tables keep their shape, and names stay text."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.report.card import markdown, write_card
from corolla.report.page import write_report

MakeRun = Callable[..., Any]
NAMES = ("daisy", "rose", "tulip")


def read(path: Path) -> tuple[dict[str, Any], str]:
    """The front matter and the Markdown below it."""
    text = path.read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def shape(body: str) -> list[str]:
    """Each line's kind: a heading, a table's row with so many cells, a fence, and so on."""
    kinds = []
    for line in body.split("\n"):
        if line.startswith("|"):
            bars = len(re.findall(r"(?<!\\)\|", line))
            kinds.append(f"row of {bars - 1}")
        else:
            kinds.append(line.split(" ")[0] if re.match(r"#|```|- |> |</?\w+>", line) else "text" if line else "")
    return kinds


def test_the_card_says_what_was_found(make_run: MakeRun) -> None:
    run, evaluation, _ = make_run(NAMES)
    front, body = read(write_card(run, evaluation))
    assert front["library_name"] == "corolla"
    assert front["pipeline_tag"] == "image-classification"
    assert "license" not in front  # that is the user's to choose
    [index] = front["model-index"]
    assert index["name"] == "run"
    [result] = index["results"]
    assert result["dataset"] == {"name": "plain", "type": "imagefolder", "split": "test"}
    assert result["metrics"][0] == {"type": "accuracy", "value": 0.6667}
    flat = body.replace("\u00a0", " ").replace("&nbsp;", " ")
    assert "daisy, rose, tulip." in flat
    assert "**67 %** of 9 test images are classified correctly (95 % interval 35 to 88 %)." in flat
    assert "| daisy | 3 | 66.7 % | 66.7 % | 0.667 |" in flat
    assert "| class | training | validation | test |\n|---|--:|--:|--:|\n| daisy | 7 | 7 | 7 |\n" in flat
    assert "| total | 21 | 21 | 21 |\n\n" in flat
    assert "corolla predict run photo.jpg" in flat
    assert 'corolla.load("run")' in flat
    assert "corolla weights convert run for-timm --to timm" in flat
    assert "import corolla.bridges.timm" not in flat
    assert "| `progressive_resizing` | `(0, 0.5), (0.5, 1)` |" in flat
    assert "always predicts one of its classes" in flat


def test_a_hybrid_says_what_other_libraries_need(make_run: MakeRun) -> None:
    run, _, _ = make_run(NAMES)
    config = run.load_config()
    architecture = replace(config.architecture, stem=(8, 16, 32))
    run.save_config(replace(config, architecture=architecture))
    _, body = read(write_card(run, None))
    assert "import corolla.bridges.timm\nimport corolla.bridges.transformers\n" in body


def test_without_an_evaluation_there_is_no_figure(make_run: MakeRun) -> None:
    run, _, _ = make_run(NAMES)
    front, body = read(write_card(run, None))
    assert "model-index" not in front
    assert "Not evaluated yet: `corolla evaluate run`" in body


def test_a_training_that_has_not_worked_says_so_first(make_run: MakeRun) -> None:
    run, evaluation, manifest = make_run(NAMES)
    plain = [read(write_card(run, evaluation))[1], write_report(run, evaluation, manifest).read_text(encoding="utf-8")]
    config = run.load_config()
    said = "it is no better than a guess: <it> names 1.3% of 1,020 test images"
    run.save_config(replace(config, training=config.training | {"verdict": said}))
    _, body = read(write_card(run, evaluation))
    assert body.index("> **It is no better than a guess: &lt;it&gt; names 1.3%") < body.index("classified correctly")
    page = write_report(run, evaluation, manifest).read_text(encoding="utf-8")
    warning = '<p class="caveat warning" role="alert">It is no better than a guess: &lt;it&gt; names 1.3%'
    assert page.index(warning) < page.index("classified correctly")
    assert not any("no better than a guess" in text or 'role="alert"' in text for text in plain)


def test_the_place_of_the_data_is_not_told_whole(make_run: MakeRun) -> None:
    run, evaluation, _ = make_run(NAMES)
    config = run.load_config()
    for source, told in [
        ("/home/somebody/secret/flowers", "`flowers`"),
        ("C:\\Users\\somebody\\flowers\\splits.csv", "`flowers/splits.csv`"),
        ("", "`unknown`"),
    ]:
        config.data["source"] = source
        run.save_config(config)
        text = write_card(run, evaluation).read_text(encoding="utf-8")
        assert told in text
        assert "somebody" not in text


def test_a_folder_whose_name_needs_quoting_does_not_stand_in_commands(make_run: MakeRun) -> None:
    run, evaluation, _ = make_run(NAMES, folder_name='$(rm) "x"')
    front, body = read(write_card(run, evaluation))
    assert front["model-index"][0]["name"] == '$(rm) "x"'
    assert "corolla predict RUN photo.jpg" in body
    assert "`RUN` is this folder." in body
    assert 'rm) "x"' not in body.split("# ", 2)[2]


def test_many_classes_are_cut(make_run: MakeRun) -> None:
    run, evaluation, _ = make_run(tuple(f"kind {k:03}" for k in range(130)), images=1)
    _, body = read(write_card(run, evaluation))
    assert "kind 099 and 30 more." in body
    assert "kind 100" not in body


hostile = st.one_of(
    st.sampled_from(
        [
            "a | b",
            "---\nlicense: mit\n---",
            "[link](javascript:alert(1))",
            "<script>alert(1)</script>",
            "`code`",
            "```\nend",
            "\\",
            "\\|",
            "**bold** _x_ ~~y~~ $z$ ![i](u)",
            'quote " and \\" more',
            "\u2028---\u2028\u0085\ufeff",
            "# heading\n\n- list",
            "{{ 1 }}{% raw %}",
        ]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30),
).map(lambda text: text + "\u2007")


@pytest.fixture(scope="module")
def tame(make_run: MakeRun) -> tuple[dict[str, Any], list[str]]:
    """Front matter and shape of a card whose names and words are harmless."""
    run, evaluation, _ = make_run(NAMES, words="tame")
    front, body = read(write_card(run, evaluation))
    return front, shape(body)


@settings(max_examples=60)
@given(name=hostile, words=hostile)
def test_hostile_names_and_words_stay_text(
    make_run: MakeRun, tame: tuple[dict[str, Any], list[str]], name: str, words: str
) -> None:
    run, evaluation, _ = make_run((name, "rose", "tulip"), words=words)
    front, body = read(write_card(run, evaluation))
    assert front.keys() == tame[0].keys()
    assert shape(body) == tame[1]
    # What CommonMark takes as code or as escaped may hold anything; beyond it there must be no mark-up.
    bare = re.sub(r"^```.*?^```|\\[!-/:-@\[-`{-~]|`[^`\n]*`", "", body, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"<(?!/?details>|/?summary>)|\[|`", bare)


@given(st.text(max_size=40))
def test_escaped_markdown_is_one_line_without_markup(text: str) -> None:
    escaped = markdown(text)
    assert "\n" not in escaped
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", escaped)
    assert not re.sub(r"\\.", "", escaped).strip("\\").count("|")
    for mark in "`*_[]|~$!@":
        assert mark not in re.sub(r"\\[\\`*_\[\]|~$!@]", "", escaped)
