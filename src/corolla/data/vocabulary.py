"""The names that columns of tables and shards have for labels; the first that occurs is taken."""

LABEL_NAMES = (
    *("label", "class", "class_name", "category", "target", "labels", "class_id", "species", "breed", "dx"),
    *("diagnosis",),
)
