"""The options that several commands share."""

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
# The device types of torch that can compute: torch's own list without `meta`.
DEVICES = frozenset(
    (
        "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
        "vulkan", "mps", "hpu", "mtia", "privateuseone",
    )
)  # fmt: skip
FLAG = ""  # a flag takes no value; newer versions of typer would show `<bool>` after it

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder of `corolla train`.")]
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Images: files, folders (with their subfolders), patterns such as 'img/*.jpg', tables of paths, tar "
        "shards, URLs of any of these (https://…, s3://…), or - for standard input: the bytes of one image, or one "
        "path per line.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="cpu, cuda, mps, …; by default the available accelerator, or else the CPU.",
        rich_help_panel=RUNNING,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        metavar=FLAG,
        help="Show no progress and no notes; errors are still reported.",
        rich_help_panel=RUNNING,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Processes that load images; with 0, the main process loads them.",
        show_default="half the number of processors, at most 8",
        rich_help_panel=RUNNING,
    ),
]
ClassFolders = Annotated[
    Literal["top", "leaf"] | None,
    typer.Option(
        help="Which level of nested folders is the classes: the outermost (top) or the innermost (leaf).",
        show_default="detected; refused if it is ambiguous",
    ),
]
Duplicates = Annotated[
    Literal["group", "ignore"] | None,
    typer.Option(
        help="Keep near-duplicates in one split (group), or split them like other images (ignore).",
        show_default="group, unless that leaves a class too few groups",
    ),
]
AskedSplit = Annotated[
    Literal["train", "val", "test"],
    typer.Option(help="The split to evaluate; DATA without splits is used as a whole."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar=FLAG, help="Print one JSON value on standard output, and everything else on standard error."
    ),
]


def check_device(name: str | None) -> None:
    """`CorollaError` for a name of no device type; whether the device exists, only torch knows."""
    from importlib.metadata import entry_points  # a tenth of the time of --help

    kind, _, number = (name or "cpu").partition(":")
    known = kind in DEVICES or any(entry_points(group="torch.backends"))  # a plugin of torch adds types of its own
    if not known or not (number or "0").isdecimal():
        raise CorollaError(f"no device is called {name!r}; use cpu, cuda, mps or another one of torch, or leave it out")


def usable_device(name: str | None) -> str:
    """The device called `name`, or the best available; `CorollaError` if it cannot compute."""
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
        raise CorollaError(f"cannot compute on the device {name!r} here; leave out --device for {best!r}") from None
    return name


def at_home(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `~` expanded in all of its paths; shells do not expand it in `--out=~/runs`."""

    @functools.wraps(command)
    def call(**values: Any) -> None:
        command(**{name: expanded(value) for name, value in values.items()})

    return call


def expanded(value: Any) -> Any:
    """A path or a list of paths with `~` expanded; the Python API expands all other values, such as names."""
    if isinstance(value, Path):
        return at(value)
    return [expanded(each) for each in value] if isinstance(value, list) else value


def prose(command: Callable[..., None]) -> str:
    """A command's docstring with one line per paragraph, so that the terminal wraps them."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def refuse_infinite(**values: float | None) -> None:
    """`CorollaError` for `nan` and `inf`, which a number option would accept."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise CorollaError(f"--{name.replace('_', '-')} is {value}; it should be a finite number")
