"""`corolla data`: get corolla's own data sets, and pack large ones into shards."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from corolla.cli.options import ClassFolders, Duplicates, Quiet, at_home, prose, refuse_infinite
from corolla.text import count

app = typer.Typer(
    help="Download or paint images for training, and pack many images into shards.",
    no_args_is_help=True,
    epilog="Examples:\ncorolla data fetch flowers\ncorolla data paint images/ --count 500\n"
    "corolla data shard photos/ shards/",
)


def fetch(
    name: Annotated[Literal["flowers"], typer.Argument(help="Name of the data set.")],
    quiet: Quiet = False,
) -> None:
    """Download a data set once, verify it, and print its folder.

    flowers: 3,670 photographs of five kinds (229 MB, CC BY 2.0; credit the photographers named in its LICENSE.txt).
    An interrupted download resumes. The variable COROLLA_DATA may name a folder that has flower_photos already,
    COROLLA_CACHE the folder to store it in.
    """
    from corolla.data import flowers
    from corolla.progress import progress_for

    with progress_for(quiet) as progress:
        folder = flowers.fetch(progress.stage)
    print(folder)


def paint(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Total number of images, spread over the five kinds.")],
    size: Annotated[int, typer.Option(metavar="PX", help="The longer side in pixels.")] = 160,
    seed: Annotated[int, typer.Option(metavar="S", help="Random seed; another seed paints other images.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Paint images of five kinds of flower, a folder for each kind, and print the folder.

    They are drawn by a program, without a network connection; the same command paints the same images again.
    """
    from corolla.painted import paint_dataset
    from corolla.progress import progress_for

    with progress_for(quiet) as progress:
        paint_dataset(
            folder,
            count,
            size=size,
            seed=seed,
            progress=lambda done, total: progress.stage("painting", done, total),
        )
    print(folder)


def shard(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Images: a folder, a table, a zip, flowers or painted.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder, or one to resume.")],
    images: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Maximum number of images per shard.", show_default="no limit"),
    ] = None,
    megabytes: Annotated[
        float | None,
        typer.Option(
            metavar="MB",
            min=0.001,
            help="Maximum megabytes of images per shard.",
            show_default="256; no limit with --images",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of the split and the order.")] = 0,
    class_folders: ClassFolders = None,
    duplicates: Duplicates = None,
    quiet: Quiet = False,
) -> None:
    """Pack images into WebDataset tars with a list of them, shards.json, and print the folder.

    The images are checked and split as for a training; their bytes are not changed. Training images are shuffled, so
    that each shard has all classes. If it is interrupted, the same command resumes: complete shards are kept.
    """
    refuse_infinite(megabytes=megabytes)

    from corolla.data.manifest import Skipped, lines_of
    from corolla.data.sharding import write_shards
    from corolla.progress import progress_for

    with progress_for(quiet) as progress:
        content = write_shards(
            data,
            folder,
            images=images,
            megabytes=megabytes,
            seed=seed,
            class_folders=class_folders or "",
            duplicates=duplicates or "",
            progress=progress.stage,
        )
        skipped = [Skipped.from_json(row) for row in content["skipped"]]
        for line in lines_of(skipped, f"listed in {folder / 'shards.json'}"):
            progress.note(line)
        written = count(sum(shard.get("images", shard.get("pictures", 0)) for shard in content["shards"]), "image")
        shards = count(len(content["shards"]), "shard")
        progress.note(f"{written} of {len(content['classes'])} classes in {shards}")
    print(folder)


for name, function, example in (
    ("fetch", fetch, "corolla data fetch flowers"),
    ("paint", paint, "corolla data paint images/ --count 500 --size 160"),
    ("shard", shard, "corolla data shard photos/ shards/ --megabytes 512"),
):
    app.command(name, help=prose(function), epilog=f"Example:\n{example}")(at_home(function))
