"""The names that columns of tables and shards have for paths and labels; the first that occurs is taken."""

PATH_NAMES = (
    *("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path", "img", "image_name"),
    *("img_name", "image_id", "img_id", "id", "filepaths", "id_code"),
)
LABEL_NAMES = (
    *("label", "class", "class_name", "category", "target", "labels", "class_id", "species", "breed", "dx"),
    *("diagnosis",),
)
