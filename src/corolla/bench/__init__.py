"""How fast this machine predicts, trains and reads images, held against what its processor can do at most.

`report.bench` measures one thing after another: `ceiling` the matrix products alone, `models` prediction and the real
training step, `images` decoding and random views; `timing` is how all of them are timed, `memory` how a step is
measured in a process of its own.
"""

MODELS = ("vit_tiny_patch16_224", "vit_small_patch16_224")  # what is measured unless something else is asked for
BATCHES = (1, 32)
