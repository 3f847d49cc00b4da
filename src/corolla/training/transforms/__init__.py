"""Augmentation: random crop, horizontal flip, auto-augment policy, erasing, mixing, as batches of uint8."""
