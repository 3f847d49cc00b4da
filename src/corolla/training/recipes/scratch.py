"""scratch: a hybrid Vision Transformer from random weights, for a few thousand pictures and a CPU.

Papers: ViT's hybrid (arXiv 2010.11929, section 3.1) with a convolutional stem (2106.14881), average pooling and fixed
positions (2205.01580), Muon on the blocks' matrices and the stem, small pictures first, MixUp and CutMix, stochastic
depth, averaged weights.

Command: corolla train DATA --out RUN --minutes 30
"""

from corolla.training.budget import Rung
from corolla.training.recipe import Recipe

GROWTH = ((0.0, 2 / 3), (0.55, 1.0))  # 64 pixels, then 96
RECIPE = Recipe(name="scratch", model="vit_micro_conv8_96", image_size=96, epochs=60, growth=GROWTH)
LADDER = (
    Rung("vit_micro_conv8_48", 48, ((0.0, 1.0),), 0),
    Rung("vit_micro_conv8_64", 64, ((0.0, 1.0),), 45_000),
    Rung("vit_micro_conv8_96", 96, GROWTH, 75_000),
    Rung("vit_tiny_conv8_128", 128, ((0.0, 0.5), (0.3, 0.75), (0.65, 1.0)), 400_000),
    Rung("vit_small_conv16_224", 224, ((0.0, 0.5), (0.3, 0.75), (0.65, 1.0)), 4_000_000),
)
MOST_EPOCHS = 300
