"""Explanations as small images, to lie over the thumbnails of a page."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from corolla.classifier import Classifier
from corolla.data.decoding import ImageError
from corolla.explanations import DEFAULT
from corolla.explanations.maps import explain_all
from corolla.report.thumbnails import Thumbnail, address_of, size_of


def explained(classifier: Classifier, paths: Sequence[Path]) -> list[Thumbnail]:
    """The attribution map of the default method for each image, or the reason why there is none; in order."""
    size = size_of(classifier.preprocessing)
    found = []
    for _, maps in explain_all(classifier, list(paths), (DEFAULT,)):
        if isinstance(maps, ImageError):
            found.append(Thumbnail(reason=maps.reason))
        else:
            image = maps[0].overlay().resize(size, Image.Resampling.BICUBIC)
            found.append(Thumbnail(address_of(image), *size))
    return found
