"""probe: pretrained weights as they are, with a head fitted to their frozen features.

Features of every image and its mirror image are computed once and kept in corolla's cache; the head is logistic
regression by L-BFGS, its strength chosen on validation.

Command: corolla train DATA --out RUN --weights NAME_OR_PATH --recipe probe
"""

from corolla.training.recipe import Recipe

RECIPE = Recipe(name="probe", model="", image_size=224, epochs=0, head="probe")
