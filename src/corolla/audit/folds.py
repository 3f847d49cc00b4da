"""Out-of-fold probabilities from linear heads on frozen features: no head has seen the label of the images it judges.

Only the regularization strength, one number, is chosen on given labels, by the first fold.

The network itself stays frozen. If it was trained on some of these images with correct labels, it
finds label errors in them more reliably than in unseen images; if with wrong labels, less reliably.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corolla.audit.copies import tied
from corolla.audit.findings import AuditedImage, Copies
from corolla.audit.labels import LabelCheck, Numbers, Probs
from corolla.data.splitting import units
from corolla.errors import CorollaError
from corolla.features.backbones import load_backbone
from corolla.features.extraction import digest, image_features
from corolla.features.linear_probe import STRENGTHS, fit_head, predict_proba
from corolla.host import tune_malloc
from corolla.precision import choose_precision
from corolla.progress import Progress

FOLDS = 5  # each image is judged by a head that was fitted to about four fifths of the others


def check_labels(
    root: Path,
    images: Sequence[AuditedImage],
    near: Sequence[Copies],
    weights: str,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress,
) -> LabelCheck:
    """Check the labels of `images` by the frozen features of `weights`.

    `weights` is a run, a checkpoint or a name, as in `corolla train --weights`, or an EfficientNet-Lite. Copies
    and the user's groups are never divided by a fold; a class with fewer than `FOLDS` independent sets is
    skipped. Raises `CorollaError` if fewer than two classes can be judged, or for unavailable weights.
    """
    sets = sets_of(images, near)
    by_class = {(image.example.label, number) for image, number in zip(images, sets.tolist(), strict=True)}
    per_class = dict(sorted(Counter(label for label, _ in by_class).items()))
    classes = tuple(label for label, count in per_class.items() if count >= FOLDS)
    if len(classes) < 2:
        raise CorollaError(
            f"labels can be checked from {FOLDS} independent images per class, which "
            f"{'only ' + repr(classes[0]) if classes else 'no class'} has here; leave --weights out"
        )
    judged = [place for place, image in enumerate(images) if image.example.label in classes]
    features = frozen_features(root, [images[place] for place in judged], weights, device, progress)
    number = {label: index for index, label in enumerate(classes)}
    labels = np.array([number[images[place].example.label] for place in judged], np.int64)
    pred_probs = out_of_fold(features, labels, sets[judged], len(classes), seed, progress)
    return LabelCheck(
        weights=weights,
        classes=classes,
        paths=tuple(images[place].path for place in judged),
        labels=labels,
        pred_probs=pred_probs,
        folds=FOLDS,
        passed_over=tuple((label, count) for label, count in per_class.items() if count < FOLDS),
    )


def sets_of(images: Sequence[AuditedImage], near: Sequence[Copies]) -> Numbers:
    """A set number for each image (n,), equal for images with the same group, the same content or near-duplicates."""
    sets = np.empty(len(images), np.int64)
    for number, unit in enumerate(units([image.example for image in images], tied(near, images))):
        sets[unit] = number
    return sets


def frozen_features(
    root: Path, images: Sequence[AuditedImage], weights: str, device: str, progress: Progress
) -> Tensor:
    """The features (images, 2, C) of the images and their horizontal flips; stored in corolla's cache."""
    pretrained = load_backbone(weights, timm=False)
    tune_malloc()
    backbone = pretrained.backbone.eval().to(device).to(memory_format=torch.channels_last)
    precision = choose_precision(device)

    def extract(batch: Tensor) -> Tensor:
        with precision.autocast(device):
            feature: Tensor = backbone(batch.contiguous(memory_format=torch.channels_last))[1]
        return feature

    def tell(done: int, total: int) -> None:
        progress.stage(f"extracting features with {weights}", done, total)

    examples = [image.example for image in images]
    key = f"{digest(backbone)} {precision.mixed}"
    return image_features(root, examples, extract, pretrained.preprocessing, device, tell, key)


def out_of_fold(
    features: Tensor, labels: Numbers, sets: NDArray[np.int64], classes: int, seed: int, progress: Progress
) -> Probs:
    """The probabilities (n, classes) for features (n, views, C), each from a head that was fitted without its fold.

    Folds are stratified by label (n,) and keep images with equal `sets` (n,) together. The regularization
    strength is chosen once, on the first fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels, sets)
    given = torch.from_numpy(labels)
    pred_probs = np.empty((len(labels), classes), np.float64)
    strengths: Sequence[float] = STRENGTHS
    for done, (rest, held) in enumerate(folds):
        progress.stage("fitting heads", done, FOLDS)
        head = fit_head(features[rest], given[rest], features[held], given[held], classes, strengths)
        pred_probs[held] = predict_proba(features[held], head).double().numpy()
        strengths = (head.strength,)
    progress.stage("fitting heads", FOLDS, FOLDS)
    return pred_probs
