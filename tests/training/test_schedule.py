from hypothesis import given
from hypothesis import strategies as st

from corolla.training.schedule import learning_rate_factor


@given(st.integers(1, 5000), st.floats(0, 0.5))
def test_the_rate_rises_to_its_peak_once_and_falls(steps: int, warmup: float) -> None:
    factors = [learning_rate_factor(step, steps, warmup) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    peak = factors.index(max(factors))
    assert factors[:peak] == sorted(factors[:peak])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
