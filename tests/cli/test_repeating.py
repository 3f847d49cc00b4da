"""A command line that is printed for the user to repeat gives the command what it was given."""

import inspect
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.cli.repeating import parameters_of, shell_line, words_of
from corolla.cli.train import command, how_to_resume

OTHER: dict[str, Any] = {
    "data": "my photos", "out": Path("runs/a b"), "recipe": "scratch", "weights": "pre trained", "head": "probe",
    "unfreeze_last": 2, "lora_rank": 4, "layer_decay": 0.7, "teacher": "efficientnet-lite0", "teacher_epochs": 0,
    "distillation_type": "hard", "distill_alpha": 0.25, "distill_token": False, "distill_temperature": 2.0,
    "feature_distill_weight": 0.5,
    "minutes": 0.5, "epochs": 3, "model": "vit_pico_patch8_16", "image_size": 24, "seed": 7, "strict": True,
    "class_folders": "leaf", "duplicates": "ignore",
    "optimizer": "adamw", "learning_rate": 1e-4, "weight_decay": 0.0, "warmup": 0.2, "batch_size": 12,
    "grad_accum_steps": 2,
    "clip_grad_norm": 2.5, "ema_decay": 0.9, "last_epoch": 0.5,
    "validations": 7, "patience": 3, "label_smoothing": 0.0, "drop_path": 0.0,
    "class_weights": "balanced", "random_resized_crop_scale": 0.8, "auto_augment": "none", "random_erasing_prob": 0.0,
    "mixup_cutmix_prob": 0.0,
    "progressive_resizing": "0:0.5,0.3:1", "hflip_tta": False, "device": "cpu", "workers": 0, "fsdp": True,
    "checkpoint_minutes": 0.0, "tensorboard": True, "quiet": True,
}  # fmt: skip
ALWAYS = {"resume"}  # is there in any case
DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
APP = typer.Typer(add_completion=False)
APP.command()(command)
PARSER = typer.main.get_command(APP)


def parsed(words: list[str]) -> dict[str, Any]:
    """What `corolla train` is given by these words."""
    return dict(PARSER.make_context("train", list(words)).params)


def test_every_option_of_train_is_in_the_command_that_goes_on_with_it() -> None:
    """One that is new must be added to `OTHER` with some value, or to those that need not be there."""
    assert {parameter.name for parameter in parameters_of(command)} == OTHER.keys() | ALWAYS
    assert all(value != DEFAULTS[name] for name, value in OTHER.items())
    line = how_to_resume(OTHER | {"resume": False}).partition("resume with: ")[2]
    program, name, *words = shlex.split(line)
    assert (program, name) == ("corolla", "train")
    understood = parsed(words)
    assert understood.pop("resume") is True
    assert {name: type(OTHER[name])(value) for name, value in understood.items()} == OTHER


@pytest.mark.parametrize("name", OTHER)
def test_an_option_is_there_if_it_was_given_and_else_is_not(name: str) -> None:
    values = DEFAULTS | {"data": "x", "out": Path("y")}
    bare = words_of(command, values, ALWAYS)
    assert bare == ["x", "--out", "y"]
    words = words_of(command, values | {name: OTHER[name]}, ALWAYS)
    assert words != bare
    assert parsed(words)[name] in (OTHER[name], str(OTHER[name]))


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None)
@given(data=NAMES, out=NAMES, number=st.floats(min_value=0.01, allow_infinity=False))
def test_any_name_and_any_number_is_read_as_it_was(data: str, out: str, number: float) -> None:
    values = DEFAULTS | {"data": data, "out": out, "minutes": number}
    words = words_of(command, values)
    understood = parsed(words)
    assert (understood["data"], str(understood["out"]), understood["minutes"]) == (data, str(Path(out)), number)
    assert shlex.split(shell_line(words, windows=False)) == words


def windows_words(line: str) -> Iterator[str]:
    """A command line's words as the C runtime of Windows takes it apart."""
    place = 0
    while place < len(line):
        if line[place] in " \t":
            place += 1
            continue
        word, quoted = "", False
        while place < len(line) and (quoted or line[place] not in " \t"):
            backslashes = 0
            while line[place : place + 1] == "\\":
                place, backslashes = place + 1, backslashes + 1
            if line[place : place + 1] == '"':
                word += "\\" * (backslashes // 2)
                if backslashes % 2:
                    word += '"'
                else:
                    quoted = not quoted
                place += 1
            else:
                word += "\\" * backslashes
                if place < len(line) and (quoted or line[place] not in " \t"):
                    word += line[place]
                    place += 1
        yield word


@given(st.lists(st.text(alphabet="ab é&|<>^()%$'`;,{}[]*?!#@~\\/.:-=+_\t", min_size=0, max_size=12)))
def test_windows_reads_the_words_as_they_were_and_no_sign_of_its_own_is_bare(words: list[str]) -> None:
    line = shell_line(words, windows=True)
    assert list(windows_words(line)) == words
    bare = "".join(part for number, part in enumerate(line.split('"')) if number % 2 == 0)
    assert not set(bare) & set("&|<>^()%$'`;,{}[]*?!#@~")


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("runs/a", "runs/a"),
        ("C:\\my runs\\", '"C:\\my runs\\\\"'),
        ("C:\\a&b\\", '"C:\\a&b\\\\"'),
        ("", '""'),
        ('a"b', '"a\\"b"'),
    ],
)
def test_words_for_windows(word: str, line: str) -> None:
    assert shell_line([word], windows=True) == line
