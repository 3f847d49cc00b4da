"""How fast this machine predicts, trains and reads images, compared with the maximum speed of its processor.

`report.bench` runs all measurements: `ceiling` the matrix multiplications alone, `models` prediction and the real
training step, `images` decoding and random augmented crops ("views"); `timing` has the timer, and `memory` runs a
measurement in its own process.
"""

MODELS = ("vit_tiny_patch16_224", "vit_small_patch16_224")  # measured by default
BATCHES = (1, 32)
