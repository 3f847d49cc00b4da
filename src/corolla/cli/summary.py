"""`corolla summary`: the layers of a model."""

from typing import Annotated

import typer

EXAMPLES = "Example:\ncorolla summary vit_base_patch16_224 --classes 1000"


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="vit_SIZE_patchP_PX, or vit_SIZE_convP_PX for the hybrid with a convolutional stem. "
            "SIZE: pico, nano, micro, tiny, small, base, large, huge; P: side of a patch in pixels; "
            "PX: side of the image in pixels.",
        ),
    ],
    classes: Annotated[int, typer.Option(metavar="N", min=1, help="Number of classes.")] = 1000,
) -> None:
    """Print a model's layers, their output shapes for one image, parameters and MACs."""
    from corolla.models.names import vit_config

    config = vit_config(name, classes)

    from corolla.cli.output import answer_console
    from corolla.cli.summary_table import layer_table
    from corolla.models.summary import model_summary

    layers = model_summary(config)
    console = answer_console()
    console.print(layer_table(layers))
    total = layers[0]
    rows, columns = config.image_size
    console.print(
        f"{name}: {total.parameters:,} parameters ({4 * total.parameters / 1e6:,.1f} MB in float32), "
        f"{total.macs / 1e9:,.2f} billion MACs for an image of {columns} x {rows} pixels",
        soft_wrap=True,
    )
