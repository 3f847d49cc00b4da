"""Starting `corolla`: quick, light, and every help complete."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import typer.main

from corolla.cli.app import app
from timing import cpu_seconds

HEAVY = ("torch", "torchvision", "numpy", "PIL", "sklearn", "matplotlib", "jinja2", "rich.progress")


def test_it_starts_as_soon_as_what_it_cannot_do_without() -> None:
    """On a quiet machine that is a third of a second for the help, most of it for what draws it."""
    needed = ["-c", "import typer, rich.console, rich.markup"]
    python, drawing, package, help_ = cpu_seconds(
        [["-c", ""], needed, ["-c", "import corolla"], ["-m", "corolla", "--help"]], times=9
    )
    assert package < drawing
    assert help_ - python < 3 * (drawing - python)


@pytest.mark.parametrize("module", ["corolla", "corolla.cli"])
def test_nothing_heavy_is_imported_at_the_start(module: str) -> None:
    code = f"import {module}, sys; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.strip() == b""


def all_commands(command: object = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command and group with the words that lead to it."""
    command = command or typer.main.get_command(app)
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from all_commands(inner, (*words, name))


def test_the_commands_are_those_that_were_promised() -> None:
    found = {" ".join(words) for words, _ in all_commands()}
    assert found == {
        "", "audit", "train", "evaluate", "predict", "explain", "export", "serve", "compare", "calibrate", "summary",
        "bench", "data", "data fetch", "data paint", "data shard",
        "weights", "weights list", "weights show", "weights convert", "weights push", "demo",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "command"), list(all_commands()), ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
)
def test_every_help_names_all_options_and_has_an_example(
    words: tuple[str, ...], command: object, corolla: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    said = corolla(*words, "--help")
    assert said.status == 0
    assert said.err == ""
    assert " ".join(["Usage: corolla", *words]) in said.out
    assert "Example" in said.out
    assert " ".join(["corolla", *words]).strip() + " " in said.out.partition("Example")[2]
    for parameter in command.params:  # type: ignore[attr-defined]
        assert parameter.help, parameter.name
        assert "[" not in parameter.help  # rich would take it for markup and swallow it
        assert all(option in said.out for option in parameter.opts if option.startswith("--")), parameter.opts


@pytest.mark.parametrize(
    ("words", "command"), list(all_commands()), ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
)
def test_every_help_says_what_an_option_is_where_it_is_not_given(
    words: tuple[str, ...], command: object, corolla: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")  # an option to a line
    shown = corolla(*words, "--help").out.partition("Example")[0].splitlines()
    for parameter in command.params:  # type: ignore[attr-defined]
        if getattr(parameter, "is_flag", False) and not parameter.secondary_opts:  # off where it is not given
            continue
        names = [each for each in parameter.opts if each.startswith("--")] or [parameter.name, parameter.metavar]
        begins = re.compile(rf"│[ *]+({'|'.join(map(re.escape, filter(None, names)))}) ", re.IGNORECASE)
        [line] = filter(begins.match, shown)
        assert re.search(r"\[default: |\[required\]|by default ", line), line


def test_the_defaults_of_a_recipe_are_those_of_the_recipes(corolla: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    shown = corolla("train", "--help").out.splitlines()
    expected = {
        "--drop-path": "(0.1; finetune: 0.05; distill: 0)",
        "--layer-decay": "(1; finetune: 0.75)",
        "--distill-alpha": "(0.8)",
        "--head": "(zeros; probe: probe; finetune: probe)",
        "--hflip-tta": "(on)",
        "--unfreeze-last": "(all)",
        "--progressive-resizing": "(0:0.6,0.5:0.8,0.8:1; finetune: 0:1; or what fits --minutes)",
        "--epochs": "(80; probe: 0; finetune: 20; or what fits --minutes)",
    }
    for option, default in expected.items():
        [line] = [line for line in shown if line.startswith("│") and f" {option} " in line]
        assert f"[default: {default}]" in line


def test_every_value_of_a_recipe_has_its_default_from_there() -> None:
    from dataclasses import fields

    from corolla.cli.recipe_options import usual
    from corolla.training.recipe import Recipe
    from corolla.training.recipes import RECIPES

    assert [field.name for field in fields(Recipe) if not usual(field.name)] == ["weights", "teacher"]  # none
    changed = replace(RECIPES["scratch"].recipe, random_erasing_prob=0.125)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "scratch", replace(RECIPES["scratch"], recipe=changed))
        assert usual("random_erasing_prob").startswith("0.125; ")


def test_without_arguments_it_shows_its_help(corolla: Callable) -> None:
    said = corolla()
    assert said.status == 2
    assert (said.out + said.err).count("Usage: corolla") == 1


def test_the_version(corolla: Callable) -> None:
    from corolla import __version__

    assert corolla("--version").out == f"corolla {__version__}\n"


def test_a_shell_can_complete_a_command() -> None:
    asked = {"_COROLLA_COMPLETE": "complete_bash", "COMP_WORDS": "corolla tr", "COMP_CWORD": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "corolla"], env=os.environ | asked, check=True, capture_output=True, text=True
    )
    assert ended.stdout.split() == ["train"]


def test_answering_loads_nothing_of_the_training() -> None:
    code = (
        "import sys, corolla.classifier, corolla.cli.predictions, corolla.cli.inputs, corolla.evaluation.evaluate\n"
        "from corolla.cli.options import usable_device\n"
        "usable_device(None)\n"
        "print(*sorted(set(sys.modules) & {'torchvision', 'accelerate', 'corolla.training.trainer', 'matplotlib'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.strip() == b""
