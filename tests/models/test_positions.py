import torch

from corolla.models.vit import resize_pos_embed, sincos_pos_embed


def test_sincos_of_a_finer_grid_passes_through_the_same_function() -> None:
    """Averaging the coordinates: the center of a 1 x 1 grid is the middle of any other grid."""
    one = sincos_pos_embed((1, 1), (3, 3), 16)
    middle = sincos_pos_embed((3, 3), (3, 3), 16)[:, 4:5]
    torch.testing.assert_close(one, middle)
    coarse, fine = sincos_pos_embed((4, 4), (4, 4), 16), sincos_pos_embed((12, 12), (4, 4), 16)
    torch.testing.assert_close(coarse.view(4, 4, 16), fine.view(12, 12, 16)[1::3, 1::3])


def test_learned_positions_keep_a_smooth_field_when_resized() -> None:
    rows = torch.linspace(-1, 1, 8)[:, None].expand(8, 6)
    field = rows.flatten()[None, :, None].repeat(1, 1, 5)
    resized = resize_pos_embed(field, (8, 6), (16, 3)).view(16, 3, 5)
    assert resized.shape == (16, 3, 5)
    assert bool((resized.diff(dim=0) > 0).all())
    torch.testing.assert_close(resized[:, 0], resized[:, 2])
    assert resize_pos_embed(field, (8, 6), (8, 6)) is field


def test_antialiasing_is_another_resize() -> None:
    noise = torch.randn(1, 64, 5)
    for grid in ((4, 4), (12, 12)):
        smooth, sharp = (resize_pos_embed(noise, (8, 8), grid, antialias=wanted) for wanted in (True, False))
        assert not torch.allclose(smooth, sharp)
