"""Random views of training pictures: crop, mirror, policy, erasing, mixing, as batches of uint8."""
