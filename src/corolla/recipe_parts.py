"""Which values of a recipe have an effect on a training; the others are stored without any effect."""

ONLY_TEACHERS = frozenset(
    {
        "teacher_epochs",
        "distillation_type",
        "distill_alpha",
        "distill_token",
        "distill_temperature",
        "feature_distill_weight",
    }
)
WITHOUT_EPOCHS = frozenset({"model", "image_size", "epochs", "head", "hflip_tta"})  # of a recipe with zero epochs


def takes_part(name: str, *, epochs: bool, teacher: bool) -> bool:
    """Whether the value has an effect on a training with or without `epochs`, with or without a `teacher`."""
    if name in ONLY_TEACHERS:
        return teacher
    return epochs or name in WITHOUT_EPOCHS
