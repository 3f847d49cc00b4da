"""Predict one photograph in a separate process, with the shortest code of each library.

    python -m contenders.once transformers FOLDER PHOTO
    python -m contenders.once timm FOLDER PHOTO

The import time is part of the measurement; nothing is imported before it is needed.
"""

import sys

CLASSES, MODEL = 5, "vit_small_patch16_224"


def by_transformers(folder: str, photo: str) -> None:
    """The pipeline on a local folder."""
    from transformers import pipeline

    for answer in pipeline("image-classification", model=folder, device="cpu")(photo):
        print(f"{answer['label']} {answer['score']:.1%}")


def by_timm(folder: str, photo: str) -> None:
    """A model, its weights and its transform."""
    import timm
    import torch
    from PIL import Image

    model = timm.create_model(MODEL, num_classes=CLASSES, checkpoint_path=f"{folder}/model.safetensors").eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    with torch.inference_mode():
        chances = model(transform(Image.open(photo).convert("RGB")).unsqueeze(0)).softmax(dim=-1)[0]
    for number, chance in enumerate(chances.tolist()):
        print(f"class {number} {chance:.1%}")


if __name__ == "__main__":
    {"transformers": by_transformers, "timm": by_timm}[sys.argv[1]](*sys.argv[2:])
