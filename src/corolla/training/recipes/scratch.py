"""scratch: a hybrid Vision Transformer from random weights, for a few thousand images and a CPU.

Papers: ViT's hybrid (arXiv 2010.11929, section 3.1) with a residual convolutional stem (2106.14881, 1512.03385),
average pooling and fixed position embeddings (2205.01580), Muon on the blocks' matrices and the stem (2502.16982),
progressive resizing, TrivialAugment (2103.10158), MixUp (1710.09412), CutMix (1905.04899), stochastic depth
(1603.09382), averaged weights.

Command: corolla train DATA --out RUN --minutes 30
Expect: on 2,558 training photographs of five flowers and two cores of an AMD EPYC with AVX512-BF16, 30 to 35 minutes
for 73 to 77 epochs, test accuracy 87.4 %, mean of three seeds, 87.0 to 88.1; with AVX2 alone, 30 minutes for 43 to 49
epochs of a smaller model, test accuracy 85.8 %, mean of three seeds, 84.8 to 86.4 (benchmarks/README.md).
"""

from corolla.training.recipe import Preset, Recipe

GROWTH = ((0.0, 0.6), (0.5, 0.8), (0.8, 1.0))  # 96 pixels, then 128, then 160
RECIPE = Recipe(
    name="scratch",
    model="vit_micro_conv16_160",
    image_size=160,
    epochs=80,
    progressive_resizing=GROWTH,
    auto_augment="trivial",
    mixup_cutmix_prob=0.8,
)
# If images are seen only a few times: a small model, a small patch size, many steps, and little regularization.
FEW_VIEWS = {
    "batch_size": 32, "auto_augment": "none", "mixup_cutmix_prob": 0.0, "random_resized_crop_scale": 0.5,
    "random_erasing_prob": 0.0, "drop_path": 0.0
}  # fmt: skip
PRESETS = (
    Preset("vit_nano_conv8_64", 64, ((0.0, 0.75), (0.5, 1.0)), 0, FEW_VIEWS),
    Preset(
        "vit_nano_conv8_96",
        96,
        ((0.0, 0.75), (0.5, 1.0)),
        30_000,
        FEW_VIEWS | {"auto_augment": "light", "mixup_cutmix_prob": 0.2},
    ),
    Preset(
        "vit_nano_conv8_128",
        128,
        ((0.0, 0.5), (0.4, 0.75), (0.75, 1.0)),
        70_000,
        {"batch_size": 32, "auto_augment": "light", "mixup_cutmix_prob": 0.5, "drop_path": 0.0},
    ),
    Preset("vit_micro_conv16_160", 160, GROWTH, 150_000),
    Preset("vit_tiny_conv16_192", 192, ((0.0, 0.5), (0.3, 0.75), (0.65, 1.0)), 600_000),
    Preset("vit_small_conv16_224", 224, ((0.0, 0.5), (0.3, 0.75), (0.65, 1.0)), 4_000_000),
)
MOST_EPOCHS = 300
