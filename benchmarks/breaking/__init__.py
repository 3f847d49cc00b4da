"""What may break while corolla works, done to real processes and real files: shared by `faults.py` and the tests."""
