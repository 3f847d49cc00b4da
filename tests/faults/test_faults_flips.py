"""Flipped bits are noticed, and what nobody can mend is refused."""

from breaking import flips
from breaking.setting import Setting


def test_no_flipped_bit_of_a_run_goes_unnoticed(setting: Setting) -> None:
    for counts in flips.flip_in_runs(setting, 150):
        assert counts.good, counts
        assert counts.refused == counts.tried == 150


def test_no_flipped_bit_of_a_cache_leads_to_a_wrong_number(setting: Setting) -> None:
    for counts in flips.flip_in_caches(setting, 40):
        assert counts.good, counts
        assert counts.again == counts.tried == 40


def test_a_damaged_checkpoint_is_refused_in_one_line(setting: Setting) -> None:
    tally = flips.resume_from_a_damaged_checkpoint(setting, 1)
    assert tally.good, tally.wrong
