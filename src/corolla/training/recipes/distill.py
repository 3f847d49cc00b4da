"""distill: the scratch recipe's model with a teacher that was pretrained on a million images.

Papers: DeiT's distillation (arXiv 2012.12877), a patient teacher that sees the student's own mixed crops (2106.05237),
feature distillation into the patches (2207.10026); the rest is the scratch recipe's.

If the student starts from pretrained weights (--weights with --teacher), it is fine-tuned, from a head fitted to its
frozen features and with small learning rates: the rates for random weights would destroy what it knows. The teacher's
predictions are half of the loss, and its feature maps are not used, because the student has good features of its own.

Command: corolla train DATA --out RUN --teacher efficientnet-lite0 --minutes 45
Expect: on 2,558 training photographs of five flowers and two cores of an AMD EPYC with AVX512-BF16, 42 to 44 minutes
with the teacher's four, 62 to 65 epochs, test accuracy 92.5 %, mean of three seeds, 91.3 to 93.3; its teacher 92.9 %
(benchmarks/README.md).
"""

from dataclasses import replace

from corolla.training.recipe import Preset, Recipe
from corolla.training.recipes import finetune, scratch

RECIPE = Recipe(
    name="distill",
    model="vit_micro_conv16_160",
    image_size=160,
    epochs=80,
    progressive_resizing=scratch.GROWTH,
    auto_augment="trivial",
    label_smoothing=0.0,  # the teacher's predictions are already soft
    drop_path=0.0,
    distill_alpha=0.8,
    feature_distill_weight=8.0,
)
PRESETS = (
    Preset("vit_micro_conv16_96", 96, ((0.0, 2 / 3), (0.5, 1.0)), 0, {"auto_augment": "light"}),
    Preset("vit_micro_conv16_128", 128, ((0.0, 0.5), (0.4, 0.75), (0.75, 1.0)), 50_000, {"auto_augment": "light"}),
    Preset("vit_micro_conv16_160", 160, scratch.GROWTH, 100_000),
)
MOST_EPOCHS = 1000
# From pretrained weights.
FROM_WEIGHTS = replace(finetune.RECIPE, name="distill", label_smoothing=0.0)
MOST_EPOCHS_FROM_WEIGHTS = finetune.MOST_EPOCHS
