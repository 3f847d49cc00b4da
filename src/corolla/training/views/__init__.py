"""Random views of training images: crop, mirror, policy, erasing, mixing, as batches of uint8."""
