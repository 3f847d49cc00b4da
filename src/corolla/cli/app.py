"""The commands in the order that `corolla --help` shows them."""

from typing import Annotated

import typer

from corolla import __version__
from corolla.cli import (
    audit,
    bench,
    calibrate,
    compare,
    data,
    demo,
    evaluate,
    explain,
    export,
    predict,
    serve,
    summary,
    train,
    weights,
)
from corolla.cli.options import FLAG, at_home, prose

app = typer.Typer(
    name="corolla",
    help="From a folder of labeled images to an accurate, honest Vision Transformer classifier, "
    "on the computer you have.",
    epilog="Examples:\n"
    "corolla demo\n"
    "corolla train flowers --out runs/flowers --minutes 30\n"
    "corolla evaluate runs/flowers\n"
    "corolla predict runs/flowers rose.jpg",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (audit, train, evaluate, predict, explain, export, serve, compare, calibrate, summary, bench):
    name = module.__name__.rpartition(".")[2]
    app.command(name, help=prose(module.command), epilog=module.EXAMPLES)(at_home(module.command))
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")
app.command("demo", help=prose(demo.command), epilog=demo.EXAMPLES)(at_home(demo.command))


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        print(f"corolla {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", metavar=FLAG, help="Print the version.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """The options before a command."""
