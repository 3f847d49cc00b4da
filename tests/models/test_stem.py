import pytest
import torch

from corolla.models.config import ViTConfig
from corolla.models.vit import ConvStem, ResidualBlock, ViT


@pytest.mark.parametrize(("blocks", "kernels"), [(0, 3), (1, 7), (2, 11)])
def test_each_stage_halves_the_image_and_all_but_the_first_have_blocks(blocks: int, kernels: int) -> None:
    stem = ConvStem((4, 8, 16), blocks)
    assert stem(torch.rand(2, 3, 32, 48)).shape == (2, 16, 4, 6)
    assert sum(isinstance(module, torch.nn.Conv2d) for module in stem.modules()) == kernels
    assert sum(isinstance(module, ResidualBlock) for module in stem) == 2 * blocks


def test_a_residual_block_of_a_new_model_is_the_identity_until_it_learns() -> None:
    torch.manual_seed(0)
    stem = ViT(ViTConfig(3, (32, 32), 8, 48, 1, 3, 96, stem=(8, 16), stem_blocks=1)).eval().patch_embed.stem
    [block] = [module for module in stem if isinstance(module, ResidualBlock)]
    maps = torch.rand(2, 16, 8, 8)
    torch.testing.assert_close(block(maps), maps)
    torch.nn.init.ones_(block.last_norm.weight)
    assert not torch.allclose(block(maps), maps)
