import numpy as np
import torch

from corolla.training.transforms.erasing import AREA, erase, rectangles
from corolla.training.transforms.operations import MEAN_COLOR
from corolla.training.transforms.sample_rng import SampleRng


def erased(share: float, count: int = 1000, size: int = 32) -> torch.Tensor:
    views = np.full((count, size, size, 3), 7, np.uint8)
    for view, rectangle in zip(views, rectangles(SampleRng(range(count)), size, share), strict=True):
        erase(view, rectangle)
    return torch.from_numpy(views).permute(0, 3, 1, 2)


def test_a_share_of_the_views_loses_a_rectangle_of_the_mean_color() -> None:
    views = erased(0.25)
    gone = (views != 7).all(dim=1)  # (B, S, S)
    hit = gone.flatten(1).any(dim=1)
    assert abs(float(hit.float().mean()) - 0.25) < 0.04
    assert (views.permute(0, 2, 3, 1)[gone] == torch.tensor(MEAN_COLOR)).all()
    for mask in gone[hit][:100]:
        rows, columns = mask.any(dim=1).sum(), mask.any(dim=0).sum()
        assert mask.sum() == rows * columns
    areas = gone[hit].flatten(1).float().mean(dim=1)
    assert AREA[0] * 0.6 < areas.min() < 0.04
    assert 0.28 < areas.max() < AREA[1] * 1.15


def test_none_or_all() -> None:
    assert (erased(0.0) == 7).all()
    assert (erased(1.0) != 7).flatten(1).any(dim=1).all()
