"""The layers of a model as a table on the terminal."""

from rich.table import Table

from corolla.models.summary import Layer


def layer_table(layers: list[Layer]) -> Table:
    """The first block in full and one line for the other blocks, which have the same layers."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for title, justify in (
        ("layer", "left"),
        ("kind", "left"),
        ("output", "left"),
        ("parameters", "right"),
        ("MACs", "right"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    later = [layer for layer in layers if layer.kind == "Block"][1:]
    for layer in layers:
        parts = layer.path.replace("blocks.", "block ").split(".") if layer.path else []
        if layer in later[:1]:
            name = f"blocks 1 to {len(later)}" if len(later) > 1 else "block 1"
            table.add_row(f"  {name}", f"{len(later)} x Block", *figures(layer, len(later)))
        if not parts or not parts[0].startswith("block ") or parts[0] == "block 0":
            table.add_row("  " * len(parts) + (parts[-1] if parts else "model"), layer.kind, *figures(layer))
    return table


def figures(layer: Layer, times: int = 1) -> tuple[str, str, str]:
    """Shape, parameters and MACs as they are shown, the figures of `times` such layers."""
    shape = " x ".join(str(side) for side in layer.shape)
    return shape, f"{times * layer.parameters:,}", f"{times * layer.macs:,}"
