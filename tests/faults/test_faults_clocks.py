"""A clock that jumps changes nothing but dates."""

import pytest

from breaking import clocks
from breaking.setting import Setting


@pytest.mark.parametrize("real", [True, False], ids=["the process's clock", "Python's clock"])
def test_a_clock_that_jumps_by_years_changes_nothing(
    setting: Setting, real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if real and not clocks.LIBRARIES:
        pytest.skip("Debian's package faketime is not here")
    if not real:
        monkeypatch.setattr(clocks, "LIBRARIES", [])
    tally = clocks.set_the_clock(setting, 1)
    assert tally.good, tally.wrong
