"""`corolla weights`: what a checkpoint is, and the same checkpoint in another library's dialect."""

from pathlib import Path
from typing import Annotated

import typer

from corolla.cli.options import prose
from corolla.errors import few

EXAMPLES = (
    "Examples:\ncorolla weights show vit_small/model.safetensors\ncorolla weights convert runs/mine mine-timm --to timm"
)
Source = Annotated[
    Path,
    typer.Argument(metavar="PATH", help="A run, or a file or folder of timm, torchvision, Hugging Face or Google."),
]
Heads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Attention's heads, where they are not 64 wide and no config.json says so."),
]


def show(path: Source, heads: Heads = None) -> None:
    """Print what a checkpoint is: its dialect, architecture, head and what it leaves out."""
    from corolla.weights import load_weights

    weights = load_weights(path, heads=heads)
    config = weights.config
    rows, columns = config.image_size
    tokens = [
        word
        for word, there in {
            "class": config.pooling == "token",
            "distillation": config.distilled,
            f"{config.registers} registers": config.registers > 0,
        }.items()
        if there
    ]
    lines = {
        "dialect": weights.dialect,
        "picture": f"{columns} x {rows} pixels in patches of {config.patch_size}",
        "blocks": f"{config.depth} of width {config.width}, {config.heads} heads, "
        f"MLP {config.mlp_dim} {config.activation}",
        "tokens": ", ".join(tokens) or "patches only",
        "head": f"{config.num_classes} classes" if weights.has_head else "none; training gives it one",
        "parameters": f"{sum(tensor.numel() for tensor in weights.tensors.values()):,}",
    }
    if weights.classes:
        lines["head"] += f": {few(weights.classes, 8)}"
    if weights.preprocessing is not None:
        asked = weights.preprocessing
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (asked.mean, asked.std))
        lines["prepared"] = f"mean {mean}; std {std}; {asked.interpolation}; crop {asked.crop_fraction:g}"
    if weights.idle:
        lines["left out"] = ", ".join(weights.idle)
    for name, value in lines.items():
        print(f"{name:<11} {value}")


def convert(
    path: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is empty or not there yet.")],
    to: Annotated[str, typer.Option(metavar="DIALECT", help="timm, huggingface, torchvision or google.")],
    heads: Heads = None,
) -> None:
    """Write a checkpoint for another library; read back and compared before it is called done."""
    from corolla.weights import load_weights, write_weights

    weights = load_weights(path, heads=heads)
    difference = write_weights(weights, out, to)
    print(f"{out}: read back, its answers differ from those of {path} by {difference:.1e} of the largest at most")


app = typer.Typer(help="Look at weights and convert them.", no_args_is_help=True, epilog=EXAMPLES)
for command in (show, convert):
    app.command(command.__name__, help=prose(command), epilog=EXAMPLES)(command)
