import numpy as np

from corolla.training.rng import SampleRng, seed_of


def test_seeds_differ_in_every_part() -> None:
    seeds = {seed_of(run, epoch, image) for run in range(5) for epoch in range(20) for image in range(50)}
    assert len(seeds) == 5 * 20 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_random_numbers_are_an_images_own_and_uniform() -> None:
    assert np.array_equal(SampleRng([5, 6]).random(3)[1], SampleRng([9, 6]).random(3)[1])
    uniform = SampleRng(range(2000)).random(2)
    assert abs(uniform.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(uniform.T)[0, 1]) < 0.06
