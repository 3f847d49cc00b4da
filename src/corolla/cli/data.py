"""`corolla data`: get the data sets that corolla brings along."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from corolla.cli.options import Quiet, prose

app = typer.Typer(
    help="Fetch or paint pictures to train on.",
    no_args_is_help=True,
    epilog="Examples:\ncorolla data fetch flowers\ncorolla data paint pictures/ --count 500",
)


def fetch(
    name: Annotated[Literal["flowers"], typer.Argument(help="The data set.")],
    quiet: Quiet = False,
) -> None:
    """Download a data set once, check it, and print the folder it is in.

    flowers: 3,670 photographs of five kinds (229 MB, CC BY 2.0; credit the photographers named in its LICENSE.txt).
    A download that was cut goes on where it ended. COROLLA_DATA may name a folder that has flower_photos already,
    COROLLA_CACHE the folder to store it in.
    """
    from corolla.data import flowers
    from corolla.progress import progress_for

    with progress_for(quiet) as progress:
        folder = flowers.fetch(progress.stage)
    print(folder)


def paint(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Pictures in all, spread over the five kinds.")],
    size: Annotated[int, typer.Option(metavar="PX", help="The longer side in pixels.")] = 160,
    seed: Annotated[int, typer.Option(metavar="S", help="Another seed paints other pictures.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Paint pictures of five kinds of flower, a folder for each kind, and print the folder.

    They are made by rule, without network, and the same command paints the same pictures again.
    """
    from corolla.data.painted import paint_dataset
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


app.command("fetch", help=prose(fetch), epilog="Example:\ncorolla data fetch flowers")(fetch)
app.command("paint", help=prose(paint), epilog="Example:\ncorolla data paint pictures/ --count 500 --size 160")(paint)
