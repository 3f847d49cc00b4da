"""Random views of training pictures: crop, mirror, policy, erasing, mixing, in whole batches of uint8."""
