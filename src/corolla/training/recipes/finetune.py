"""finetune: pretrained weights, first a head for their frozen features, then the whole model, lower layers slowly.

Papers: linear probing, then fine-tuning (arXiv 2202.10054), layer-wise learning rate decay (2106.08254), AugReg's
advice to regularize little when a pretrained model learns from few images (2106.10270), averaged weights.

Command: corolla train DATA --out RUN --weights NAME_OR_PATH [--minutes 10]
"""

from corolla.training.recipe import Recipe

RECIPE = Recipe(
    name="finetune",
    model="",
    image_size=224,
    epochs=20,
    head="probe",
    patience=6,
    optimizer="adamw",
    learning_rate=2e-4,
    layer_decay=0.75,
    warmup=0.1,
    batch_size=32,
    drop_path=0.05,
    random_resized_crop_scale=0.5,
    mixup_cutmix_prob=0.2,
)
MOST_EPOCHS = 50
