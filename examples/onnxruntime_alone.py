"""Predict with an exported file without corolla: numpy, Pillow and ONNX Runtime.

python onnxruntime_alone.py flowers.onnx photo.jpg
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def main(file: str, photo: str) -> None:
    """Print the predicted class of the photo."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["corolla"])  # names, thresholds, export checks
    with Image.open(photo) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    images = np.asarray(upright)[None]  # uint8 (1, H, W, 3), any size: the graph crops and resizes
    wanted = ["probabilities", "ood_score"] if card["ood_score"] else ["probabilities"]
    probabilities, *scores = session.run(wanted, {"images": images})
    if scores and scores[0][0] > card["ood_score"]["accepted_up_to"]:
        print(f"none of these classes (OOD score {scores[0][0]:.2f})")
    else:
        best = int(probabilities[0].argmax())
        print(f"{card['classes'][best]} {probabilities[0, best]:.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
