"""Turns the user's data into a `Manifest`: images checked, hashed and split without leakage."""
