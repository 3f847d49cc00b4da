"""`corolla weights`: list published weights; describe, convert and publish checkpoints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from corolla.cli.options import FLAG, Json, RunFolder, at_home, prose
from corolla.errors import CorollaError, few
from corolla.paths import at
from corolla.pretrained import NAMES, run_folder
from corolla.text import count

if TYPE_CHECKING:
    from corolla.models.config import ViTConfig
    from corolla.preprocessing import Preprocessing
    from corolla.weights import Weights
    from corolla.weights.registry import Published

EXAMPLES = (
    "Examples:\n"
    "corolla weights list\n"
    "corolla weights show dinov2_vits14\n"
    "corolla weights convert runs/mine mine-timm --to timm\n"
    "corolla weights push runs/mine me/flowers"
)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # of a stem's batch norms
Source = Annotated[
    str,
    typer.Argument(
        metavar="NAME|PATH",
        help="A name of `corolla weights list`, a run, a file or folder of timm, torchvision, Hugging Face or Google, "
        "or OWNER/NAME on the Hugging Face Hub.",
    ),
]
CheckpointFormat = Literal["timm", "huggingface", "torchvision", "google", "corolla"]
Heads = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Number of attention heads.", show_default="from config.json, or else 64 channels each"
    ),
]


def list_(json: Json = False) -> None:
    """List the published weights that can be fetched by name."""
    from corolla.cli.output import print_json
    from corolla.weights.registry import PUBLISHED

    if json:
        print_json(
            [
                {
                    "name": each.name,
                    "source": each.source,
                    "parameters": each.parameters,
                    "image_size": each.side,
                    "license": each.family.license,
                    "paper": each.family.paper,
                    "accuracy": each.accuracy,
                    "measured": each.family.measured or None,
                    "preprocessing": each.preprocessing.to_json(),
                }
                for each in PUBLISHED
            ]
        )
        return
    widest = max(len(each.name) for each in PUBLISHED)
    print(f"{'name':<{widest}}  parameters   px  accuracy  license")
    for each in PUBLISHED:
        accuracy = "" if each.accuracy is None else f"{each.accuracy:.1f} %"
        size = f"{each.parameters / 1e6:.1f} M"
        print(f"{each.name:<{widest}}  {size:>10}  {each.side:>3}  {accuracy:>8}  {each.family.license}")
    print("`corolla weights show NAME` says what was measured, and who published it.")
    print(f"{', '.join(NAMES)}: comes with corolla, trained by it; needs no network")


def show(source: Source, heads: Heads = None) -> None:
    """Describe a checkpoint: its format, architecture, head and what is left out.

    For a name of `corolla weights list`, it prints what is published, and downloads nothing.
    """
    from corolla.progress import progress_for
    from corolla.weights.fetching import cached, found
    from corolla.weights.registry import find

    published = None if at(source).exists() else find(source)
    if published is not None:
        here = cached(published)
        print_lines(published_lines(published) | {"here": str(here or "not downloaded yet")})
        if here is None:
            return
        print()
    with progress_for() as progress:
        found(source, progress)

        from corolla.weights import load_weights

        weights = load_weights(source, heads=heads, progress=progress)
    print_lines(weights_lines(weights))


def published_lines(published: "Published") -> dict[str, str]:
    """The entries of the registry."""
    family = published.family
    lines = {
        "name": published.name,
        "source": published.source,
        "license": family.license,
        "paper": family.paper,
        "parameters": f"{published.parameters:,}",
        "image": f"{published.side} x {published.side} pixels",
        "transform": prepared(published.preprocessing),
    }
    if published.accuracy is not None:
        lines["accuracy"] = f"{published.accuracy:g} % ({family.measured})"
    return lines


def weights_lines(weights: "Weights") -> dict[str, str]:
    """The contents of a checkpoint."""
    config = weights.config
    rows, columns = config.image_size
    learned = [tensor for name, tensor in weights.tensors.items() if not name.endswith(STATISTICS)]
    tokens = [
        word
        for word, there in {
            "class": "token" in config.global_pool,
            "distillation": config.distilled,
            f"{config.num_reg_tokens} register{'s' * (config.num_reg_tokens > 1)}": config.num_reg_tokens > 0,
        }.items()
        if there
    ]
    lines = {
        "format": weights.dialect,
        "image": f"{columns} x {rows} pixels in patches of {config.patch_size}",
        "blocks": f"{config.depth} of width {config.embed_dim}, {count(config.num_heads, 'head')}, "
        f"MLP {config.mlp_dim} {config.activation}",
        "tokens": ", ".join(tokens) or "patches only",
        **({} if config.rotary == "none" else {"positions": rotary_words(config)}),
        "head": count(config.num_classes, "class", "classes") if weights.has_head else "none; training adds one",
        "parameters": f"{sum(tensor.numel() for tensor in learned):,}",
    }
    if weights.classes:
        lines["head"] += f": {few(weights.classes, 8)}"
    if weights.preprocessing is not None:
        lines["transform"] = prepared(weights.preprocessing)
    if weights.idle:
        lines["left out"] = ", ".join(weights.idle)
    return lines


def rotary_words(config: "ViTConfig") -> str:
    """Its rotary position embedding, in one line."""
    where = "from the middle" if config.rotary == "centered" else "counted from the edge"
    if config.rotary_grid is not None:
        where = "counted as {} x {}".format(*config.rotary_grid)
    beside = "" if config.pos_embed == "none" else f", beside {config.pos_embed} ones"
    return f"rotary, {where}, base {config.rotary_base:g}{beside}"


def prepared(asked: "Preprocessing") -> str:
    """The preprocessing, in one line."""
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (asked.mean, asked.std))
    squashed = "; squashed" if asked.crop_mode == "squash" else ""
    return f"mean {mean}; std {std}; {asked.interpolation}; crop {asked.crop_fraction:g}{squashed}"


def print_lines(lines: dict[str, str]) -> None:
    """One line each, the names in a column."""
    for name, value in lines.items():
        print(f"{name:<11} {value}")


def convert(
    source: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.")],
    to: Annotated[
        CheckpointFormat, typer.Option(help="The library to convert for; corolla: a copy of a run to share.")
    ],
    heads: Heads = None,
    half: Annotated[
        bool, typer.Option("--half", metavar=FLAG, help="Save the weights in float16; only with --to corolla.")
    ] = False,
) -> None:
    """Convert a checkpoint for another library, and verify it by reading it back.

    With --to corolla, write a copy of a run to share: weights, config, calibration and card, no images.
    """
    from corolla.atomic import refuse_occupied
    from corolla.progress import progress_for
    from corolla.run import find_run
    from corolla.weights.fetching import found

    if half and to != "corolla":
        raise CorollaError(f"--half is for --to corolla; weights for {to} are written as they are")
    refuse_occupied(out)
    with progress_for() as progress:
        if to == "corolla":
            find_run(source).check()
        else:
            found(source, progress)

    from corolla.weights import load_weights, pack, write_weights

    if to == "corolla":
        difference = f"{pack(run_folder(source), out, half):.1e} of the largest at most"
        print(f"{out}: read back, its outputs differ from those of {source} by {difference}")
        return
    with progress_for() as progress:
        weights = load_weights(source, heads=heads, progress=progress)
    print(*write_weights(weights, out, to).lines(out, source, to), sep="\n")


def push(
    run: RunFolder,
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="The repository; created if it does not exist.")
    ],
    private: Annotated[bool, typer.Option("--private", metavar=FLAG, help="Make the repository private.")] = False,
    to: Annotated[
        Literal["timm", "huggingface"] | None,
        typer.Option(help="Upload the weights in the format of this library.", show_default="corolla's format"),
    ] = None,
) -> None:
    """Upload a run's weights, config, calibration and card to the Hugging Face Hub; `weights show OWNER/NAME` finds it.

    Nothing else of the run leaves the machine: no image, no list of files. A login is needed: `hf auth login`.
    """
    from corolla.progress import progress_for
    from corolla.run import find_run
    from corolla.weights.hub import check_login, check_name

    find_run(run).check()
    check_name(repository)
    check_login(repository)

    from corolla.weights import push as push_run

    with progress_for() as progress:
        address = push_run(run, repository, private=private, to=to, progress=progress)
    print(address)


app = typer.Typer(help="List, describe, convert and publish weights.", no_args_is_help=True, epilog=EXAMPLES)
for command in (list_, show, convert, push):
    app.command(command.__name__.rstrip("_"), help=prose(command), epilog=EXAMPLES)(at_home(command))
