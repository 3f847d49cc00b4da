from dataclasses import replace

import pytest

from corolla.errors import CorollaError
from corolla.models.names import name_of, names, vit_config


def test_every_listed_name_can_be_built_into_a_configuration() -> None:
    assert all(vit_config(name, 5).image_size == (224, 224) for name in names())


def test_a_conv_name_is_a_hybrid_with_one_token_for_its_stride() -> None:
    config = vit_config("vit_micro_conv8_64", 5)
    assert (len(config.stem), config.patch_size, config.grid((64, 64))) == (3, 8, (8, 8))
    assert config.stem_blocks == 1


@pytest.mark.parametrize(("name", "words"), [
    ("vit_tinny_patch16_224", "vit_tiny_patch16_224"), ("resnet50", "sizes:"),
    ("vit_tiny_patch16_100", "does not divide"), ("vit_tiny_conv7_224", "stride"),
])  # fmt: skip
def test_a_wrong_name_is_one_line_with_a_way_out(name: str, words: str) -> None:
    with pytest.raises(CorollaError, match=words) as caught:
        vit_config(name, 5)
    assert "\n" not in str(caught.value)


def test_any_field_can_be_changed_by_keyword() -> None:
    assert vit_config("vit_tiny_patch16_224", 5, image_size=(96, 64), num_reg_tokens=4).num_reg_tokens == 4


@pytest.mark.parametrize("name", [*names(), "vit_micro_conv16_160", "vit_pico_patch8_16"])
def test_an_architecture_is_called_by_the_name_it_is_built_from(name: str) -> None:
    config = vit_config(name, 5, drop_path=0.1)
    assert name_of(config) == name
    assert name_of(replace(config, image_size=(448, 448))) == name.rpartition("_")[0] + "_448"


def test_an_architecture_of_no_named_size_is_called_by_width_and_depth() -> None:
    config = vit_config("vit_small_patch14_518", 5, num_reg_tokens=4)
    assert name_of(config) == "vit_small_patch14_reg4_518"
    assert name_of(replace(config, depth=5)) == "vit_w384d5_patch14_reg4_518"
