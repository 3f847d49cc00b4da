"""probe: frozen pretrained weights, with a head fitted to their features.

The features of every image and its horizontal flip are computed once and cached; the head is logistic regression by
L-BFGS, its strength chosen on validation.

Command: corolla train DATA --out RUN --weights NAME_OR_PATH --recipe probe
"""

from corolla.training.recipe import Recipe

RECIPE = Recipe(name="probe", model="", image_size=224, epochs=0, head="probe")
