"""The documents hold: links lead somewhere, commands parse, Python runs against what there is."""

import ast
import re
import shlex
from itertools import groupby
from pathlib import Path

import pytest
from typer.main import get_command

import corolla
from corolla.cli import main
from corolla.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Every `corolla ...` of the shell blocks, also inside a pipe, as words without comment."""
    lines = "\n".join(blocks(page, "(?:bash|sh|console)")).replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        try:
            words = shlex.split(line.removeprefix("$ "), comments=True)
        except ValueError:  # what a command prints need not be shell
            continue
        for _, part in groupby(words, key=lambda word: word in ("|", ">", "&&")):
            program, *rest = part
            if program == "corolla" and (line.startswith(("corolla ", "$ ")) or "| corolla" in line):
                found.append(rest)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_parse(page: Path) -> None:
    group = get_command(app)
    for words in commands(page):
        command, context = group, group.make_context("corolla", list(words), resilient_parsing=True)
        while hasattr(command, "commands") and words:
            name, *words = words
            command = command.get_command(context, name)
            assert command is not None, f"no command {name}"
        command.make_context("corolla", [word for word in words if word != "…"])


def test_the_readme_shows_commands_and_python() -> None:
    assert len(commands(ROOT / "README.md")) >= 3
    assert len(blocks(ROOT / "README.md", "python")) >= 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_names_what_there_is(page: Path) -> None:
    for block in blocks(page, "python"):
        used = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Attribute)]
        names = {node.attr for node in used if isinstance(node.value, ast.Name) and node.value.id == "corolla"}
        assert {name for name in names if not hasattr(corolla, name)} == set()


def test_what_is_told_of_a_mistake_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of a refusal under "When something is wrong", word for word but for an ellipsis."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8").partition("## When something is wrong")[2]
    shown = re.findall(r"^\$ corolla (.+)\n(corolla: .+)$", page, re.MULTILINE)
    assert len(shown) >= 2
    for words, line in shown:
        assert main(shlex.split(words)) == 2
        said = capsys.readouterr().err
        assert re.fullmatch(".*".join(map(re.escape, f"{line}\n".split("…"))), said), said


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, but on few images and a model that takes seconds."""
    from corolla.painted import paint, paint_dataset

    monkeypatch.chdir(tmp_path)
    paint_dataset(tmp_path / "few", 60, size=48)
    paint("rose", 1, 64).save(tmp_path / "rose.jpg")
    quick = 'epochs=1, model="vit_pico_conv8_16", workers=0'
    [block] = blocks(ROOT / "README.md", "python")
    exec(block.replace('"painted"', '"few"').replace("minutes=5", quick), {})
    assert (tmp_path / "runs" / "painted" / "model.safetensors").is_file()
