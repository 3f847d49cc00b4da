"""The options that several commands share, so that they read and work the same everywhere."""

import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from corolla.errors import CorollaError
from corolla.paths import at

RUNNING = "Running"
# The kinds of device that torch can be built for and that compute: its own list, without `meta`.
DEVICES = frozenset(
    (
        "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
        "vulkan", "mps", "hpu", "mtia", "privateuseone",
    )
)  # fmt: skip
FLAG = ""  # a flag takes no value; newer versions of typer would show `<bool>` after it

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder that `corolla train` made.")]
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Images: files, folders (with everything below them), patterns such as 'img/*.jpg', "
        "http(s) addresses, or - for standard input: the bytes of one image, or paths one to a line.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="cpu, cuda, mps, …; by default the accelerator that is there, or else the CPU.",
        rich_help_panel=RUNNING,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        metavar=FLAG,
        help="Show no progress and no notes; failures are still told.",
        rich_help_panel=RUNNING,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Processes that prepare images; 0: none besides this one.",
        show_default="half as many as processors, at most 8",
        rich_help_panel=RUNNING,
    ),
]
ClassFolders = Annotated[
    Literal["top", "leaf"] | None,
    typer.Option(
        help="Which of nested folders are the classes: the outer ones, or the innermost.",
        show_default="what is certain; else they are refused",
    ),
]
Duplicates = Annotated[
    Literal["group", "ignore"] | None,
    typer.Option(
        help="Keep near-duplicates in one split, or spread them as any images.",
        show_default="group, unless too few sets of a class would be left",
    ),
]
AskedSplit = Annotated[
    Literal["train", "val", "test"],
    typer.Option(help="The images to ask about; DATA without splits is used whole."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar=FLAG, help="Print one JSON value on standard output, and everything else on standard error."
    ),
]


def check_device(name: str | None) -> None:
    """`CorollaError` for a name that is of no kind of device; whether one is here, only torch knows."""
    from importlib.metadata import entry_points  # a tenth of the time of --help

    kind, _, number = (name or "cpu").partition(":")
    known = kind in DEVICES or any(entry_points(group="torch.backends"))  # a plugin of torch brings kinds of its own
    if not known or not (number or "0").isdecimal():
        raise CorollaError(f"no device is called {name!r}; it is cpu, cuda, mps or another of torch's; or leave it out")


def usable_device(name: str | None) -> str:
    """The device called `name`, or the best that is there; `CorollaError` if it cannot be computed on."""
    check_device(name)
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    best = found.type if found else "cpu"
    if name is None:
        return best
    try:
        device = torch.device(name)
        if device.type == "meta":  # computes nothing
            raise RuntimeError
        torch.empty(1, device=device)
    # Each backend refuses in its own way: RuntimeError, AssertionError, NotImplementedError, …
    except Exception:
        raise CorollaError(f"cannot compute on the device {name!r} here; leave --device out for {best!r}") from None
    return name


def at_home(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `~` as the home directory in each of its paths, which a shell leaves alone in `--out=~/runs`."""

    @functools.wraps(command)
    def call(**values: Any) -> None:
        command(**{name: expanded(value) for name, value in values.items()})

    return call


def expanded(value: Any) -> Any:
    """The same for a path or a list of them; anything else, names and words too, is for the Python API to expand."""
    if isinstance(value, Path):
        return at(value)
    return [expanded(each) for each in value] if isinstance(value, list) else value


def prose(command: Callable[..., None]) -> str:
    """A command's docstring with one line to a paragraph, so that the terminal's width decides where lines break."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def refuse_infinite(**values: float | None) -> None:
    """`CorollaError` for `nan` and `inf`, which a number option would take."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise CorollaError(f"--{name.replace('_', '-')} is {value}; it should be an ordinary number")
