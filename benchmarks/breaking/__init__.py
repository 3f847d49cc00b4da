"""Experiments that break real processes and real files while corolla works, for `faults.py` and the tests."""
