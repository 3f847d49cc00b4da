"""Which values of a recipe a training has to do with; the others stand in it without any effect."""

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
WITHOUT_EPOCHS = frozenset({"model", "image_size", "epochs", "head", "hflip_tta"})  # of a recipe of no epochs


def takes_part(name: str, *, epochs: bool, teacher: bool) -> bool:
    """Whether a training of some epochs, or of none, with a teacher or without, has to do with the value."""
    if name in ONLY_TEACHERS:
        return teacher
    return epochs or name in WITHOUT_EPOCHS
