"""The policies draw as often, as far and from the same operations as torchvision's."""

import pytest
import torch
from torchvision.transforms import v2

from corolla.training.rng import SampleRng
from corolla.training.transforms.policies import KINDS, POLICIES, SIGNED, op_of

TORCHVISIONS = {"identity": "Identity", "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX"} | {
    "translate_y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness", "saturation": "Color",
    "contrast": "Contrast", "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize",
    "autocontrast": "AutoContrast", "equalize": "Equalize",
}  # fmt: skip


def drawn(policy: str, count: int, size: int) -> list[list[tuple[str, float]]]:
    """What a policy does to each of `count` views."""
    return POLICIES[policy](SampleRng(range(count)), size)  # type: ignore[index]


def test_trivial_augment_is_the_papers() -> None:
    space = v2.TrivialAugmentWide._AUGMENTATION_SPACE
    assert {TORCHVISIONS[kind] for kind in KINDS} == space.keys()
    ops = [op for [op] in drawn("trivial", 14_000, 8)]
    for kind in KINDS:
        amounts = sorted({round(amount, 3) for name, amount in ops if name == kind})
        assert abs(sum(name == kind for name, _ in ops) - 1000) < 200
        magnitudes, signed = space[TORCHVISIONS[kind]]
        possible = magnitudes(31, 8, 8)
        if possible is not None:
            expected = {round(float(value), 3) for value in possible}
            expected |= {-value for value in expected} if signed else set()
            assert amounts == pytest.approx(sorted(expected), abs=2e-3)


def test_rand_augment_does_two_operations_of_one_strength() -> None:
    space = v2.RandAugment._AUGMENTATION_SPACE
    views = drawn("rand", 2000, 64)
    assert {len(ops) for ops in views} == {2}
    for kind in KINDS:
        magnitudes, _ = space[TORCHVISIONS[kind]]
        possible = magnitudes(31, 64, 64)
        amounts = {abs(amount) for ops in views for name, amount in ops if name == kind}
        [amount] = amounts
        if possible is not None:
            assert amount == pytest.approx(float(possible[10]), abs=1e-3)


def test_light_turns_and_changes_colors_evenly() -> None:
    views = drawn("light", 3000, 4)
    turned, colored = [ops[0] for ops in views], [ops[1:] for ops in views]
    angles = torch.tensor([amount for _, amount in turned])
    assert {kind for kind, _ in turned} == {"rotate"}
    assert -20 <= angles.min() < -19
    assert 19 < angles.max() <= 20
    assert len({tuple(kind for kind, _ in ops) for ops in colored}) == 6
    for wanted in ("brightness", "contrast", "saturation"):
        amounts = torch.tensor([amount for ops in colored for kind, amount in ops if kind == wanted])
        assert len(amounts) == 3000
        assert -0.3 <= amounts.min() < -0.29
        assert abs(float(amounts.mean())) < 0.02


def test_an_operations_sign_and_bits() -> None:
    assert op_of("rotate", SIGNED, 6, 1.0, True) == ("rotate", -135.0)
    assert op_of("posterize", SIGNED, 6, 1.0, False) == ("posterize", 2)
    assert op_of("solarize", SIGNED, 6, 0.25, False) == ("solarize", 0.75)
