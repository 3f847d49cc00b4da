"""The layers' figures are those that the papers print, and the parts add up."""

import pytest

from corolla.models.names import vit_config
from corolla.models.summary import model_summary


@pytest.mark.parametrize(
    ("name", "parameters", "billions"),
    [  # millions and billions as printed by the papers (2010.11929 table 1, 2012.12877 table 1) and by timm
        ("vit_tiny_patch16_224", 5_717_416, 1.26),
        ("vit_small_patch16_224", 22_050_664, 4.61),
        ("vit_base_patch16_224", 86_567_656, 17.56),
        ("vit_large_patch16_224", 304_326_632, 61.6),
        ("vit_huge_patch14_224", 632_045_800, 167.3),
    ],
)
def test_parameters_and_macs_are_the_known_ones(name: str, parameters: int, billions: float) -> None:
    whole = model_summary(vit_config(name, 1000))[0]
    assert whole.parameters == parameters
    assert whole.macs / 1e9 == pytest.approx(billions, rel=0.01)


@pytest.mark.parametrize("name", ["vit_micro_patch8_32", "vit_micro_conv16_64"])
def test_the_parts_add_up_to_the_whole(name: str) -> None:
    layers = model_summary(vit_config(name, 3))
    whole, parts = layers[0], [layer for layer in layers if layer.path]
    leaves = [a for a in parts if not any(b.path.startswith(f"{a.path}.") for b in parts)]
    assert sum(leaf.parameters for leaf in leaves) == whole.parameters
    blocks = [layer for layer in parts if layer.kind == "Block"]
    # Attention's products of matrices belong to no leaf.
    others = [layer for layer in leaves if not layer.path.startswith("blocks.")]
    assert sum(layer.macs for layer in blocks + others) == whole.macs
    assert len({layer.macs for layer in blocks}) == 1
