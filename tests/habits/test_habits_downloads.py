"""Well-known data sets as they come out of their archives, in small: every kind of file they have, a few of each."""

import shutil
from pathlib import Path

import pytest

from corolla.data.sources import list_source
from corolla.errors import CorollaError
from laying import Files, Reading, lay, reading


def classes(folder: str, *names: str, ending: str = ".jpg") -> Files:
    """Two images of each class."""
    return {f"{folder}{name}/{number}{ending}": "" for name in names for number in range(2)}


def flat(folder: str, count: int, ending: str = ".jpg") -> Files:
    """Images called by numbers."""
    return {f"{folder}{number}{ending}": "" for number in range(count)}


def rows(header: str, *lines: str) -> str:
    return "\n".join((header, *lines)) + "\n"


def every(*names: str, count: int = 2) -> dict[str, int]:
    return dict.fromkeys(names, count)


TWO = {"": every("cat", "dog")}
ALL = {"train": every("cat", "dog"), "val": every("cat", "dog"), "test": every("cat", "dog")}
THREE_SPLITS = classes("train/", "cat", "dog") | classes("valid/", "cat", "dog") | classes("test/", "cat", "dog")
# By a name: the files, what is read for which split, and words of what is said of it.
READ: dict[str, tuple[Files, Reading, list[str]]] = {
    # Folders
    "PetImages": (
        classes("PetImages/", "cat", "dog") | {"PetImages/cat/Thumbs.db": "x", "readme[1].txt": "x"}, TWO, [],
    ),
    "Intel scenes, with images to predict": (
        classes("seg_train/seg_train/", "sea", "ice") | classes("seg_test/seg_test/", "sea", "ice")
        | flat("seg_pred/seg_pred/", 3),
        {"train": every("sea", "ice"), "test": every("sea", "ice")}, ["seg_pred (3 files)"],
    ),
    "ASL alphabet": (
        classes("asl_alphabet_train/asl_alphabet_train/", "A", "B") | flat("asl_alphabet_test/asl_alphabet_test/", 2),
        {"train": every("A", "B")}, ["without labels, and left out: asl_alphabet_test (2 files)"],
    ),
    "Fruits-360": (
        classes("fruits-360/Training/", "fig", "kiwi") | classes("fruits-360/Test/", "fig", "kiwi")
        | flat("fruits-360/test-multiple_fruits/", 2) | {"fruits-360/papers/x.pdf": "x", "fruits-360/LICENSE": "x"},
        {"train": every("fig", "kiwi"), "test": every("fig", "kiwi")}, ["papers", "test-multiple_fruits (2 files)"],
    ),
    "chest X-rays, the whole set twice": (
        {f"chest_xray/{path}": "" for path in THREE_SPLITS}
        | {f"chest_xray/chest_xray/{path}": "" for path in THREE_SPLITS} | {"chest_xray/__MACOSX/._x": "x"},
        ALL, ["chest_xray (12 files)"],
    ),
    "malaria cells, the classes once more": (
        classes("cell_images/", "cat", "dog") | classes("cell_images/cell_images/", "cat", "dog"),
        TWO, ["a second copy of the class folders, and left out: cell_images (4 files)"],
    ),
    "rock, paper, scissors, with a sample": (
        classes("", "cat", "dog") | classes("rps-cv-images/", "cat", "dog"), TWO, ["rps-cv-images (4 files)"],
    ),
    "blood cells, two sets": (
        classes("dataset2-master/dataset2-master/images/TRAIN/", "E", "L")
        | classes("dataset2-master/dataset2-master/images/TEST/", "E", "L")
        | classes("dataset2-master/dataset2-master/images/TEST_SIMPLE/", "E", "L")
        | flat("dataset-master/dataset-master/JPEGImages/", 1)
        | {"dataset-master/dataset-master/labels.csv": rows(",Image,Category", "0,0,E"),
           "dataset-master/dataset-master/Annotations/0.xml": "x"},
        {"train": every("E", "L"), "test": every("E", "L")}, ["TEST_SIMPLE (4 files), dataset-master"],
    ),
    "brain tumours": (
        classes("Training/", "glioma", "no") | classes("Testing/", "glioma", "no"),
        {"train": every("glioma", "no"), "test": every("glioma", "no")}, [],
    ),
    "Stanford Dogs, annotations without an ending": (
        classes("images/Images/", "n1-cat", "n2-dog")
        | classes("annotations/Annotation/", "n1-cat", "n2-dog", ending=""),
        {"": every("n1-cat", "n2-dog")}, ["annotations of the images beside them, and left out: annotations (4 files)"],
    ),
    "COVID radiography, with masks": (
        classes("COVID/", "images", "masks", ending=".png") | classes("Normal/", "images", "masks", ending=".png")
        | {"COVID.metadata.xlsx": "x"},
        {"": every("COVID", "Normal")}, ["COVID/masks (2 files), Normal/masks (2 files)"],
    ),
    "Describable Textures": (
        classes("dtd/images/", "cat", "dog") | {"dtd/imdb/imdb.mat": "x", "dtd/labels/train1.txt": "cat/0.jpg\n"},
        TWO, ["dtd/imdb, dtd/labels"],
    ),
    "new plant diseases": (
        {f"New (Augmented)/New (Augmented)/{path}": "" for path in classes("train/", "cat", "dog")}
        | classes("New (Augmented)/New (Augmented)/valid/", "cat", "dog") | flat("test/test/", 2, ".JPG"),
        {"train": every("cat", "dog"), "val": every("cat", "dog")}, ["test (2 files)"],
    ),
    "ten monkeys": (
        classes("training/training/", "n0", "n1") | classes("validation/validation/", "n0", "n1")
        | {"monkey_labels.txt": rows("Label, Latin Name , Train Images", "n0 , alouatta\t, 131", "n1 , patas\t, 139")},
        {"train": every("n0", "n1"), "val": every("n0", "n1")}, [],
    ),
    "ImageNet": (
        classes("train/", "n01", "n02", ending=".JPEG") | flat("val/ILSVRC2012_val_", 3, ".JPEG"),
        {"train": every("n01", "n02")}, ["without labels, and left out: val (3 files)"],
    ),
    # Folders and tables
    "CUB, its images counted": (
        classes("images/", "001.Cat", "002.Dog")
        | {"images.txt": rows("1 001.Cat/0.jpg", "2 001.Cat/1.jpg", "3 002.Dog/0.jpg"), "classes.txt": "1 001.Cat\n",
           "image_class_labels.txt": "1 1\n2 1\n3 2\n", "parts/parts.txt": "x", "bounding_boxes.txt": "1 60.0 27.0\n"},
        {"": every("001.Cat", "002.Dog")}, ["images.txt beside the class folders not used"],
    ),
    "Stanford Cars": (
        classes("car_data/car_data/train/", "cat", "dog") | classes("car_data/car_data/test/", "cat", "dog")
        | {"names.csv": "cat\ndog\n", "anno_train.csv": "0.jpg,39,116,569,375,1\n1.jpg,36,116,868,587,2\n"},
        {"train": every("cat", "dog"), "test": every("cat", "dog")}, [],
    ),
    "birds, with a table of everything": (
        THREE_SPLITS
        | {"B0.h5": "x", "birds.csv": rows("class id,filepaths,labels,data set", "0,train/cat/0.jpg,cat,train")},
        ALL, ["birds.csv beside the class folders not used"],
    ),
    "EuroSAT, split by tables": (
        classes("EuroSAT/", "cat", "dog") | {
            f"EuroSAT/{name}.csv": rows(",Filename,Label,ClassName", f"0,cat/{n}.jpg,0,cat", f"1,dog/{n}.jpg,1,dog")
            for n, name in enumerate(("train", "test"))
        },
        {"train": every("cat", "dog", count=1), "test": every("cat", "dog", count=1)},
        ["the splits come from train.csv, test.csv"],
    ),
    "real and fake faces": (
        {f"real_vs_fake/{path}": "" for path in THREE_SPLITS} | {
            f"{name}.csv": rows(",original_path,id,label,label_str,path", f"0,/x,0,1,cat,{name}/cat/0.jpg",
                                f"1,/y,1,0,dog,{name}/dog/0.jpg") for name in ("train", "test", "valid")
        },
        ALL, ["train.csv, valid.csv, test.csv beside the class folders not used"],
    ),
    "garbage, counted from 0 and from 1": (
        classes("Garbage/Garbage/", "cat", "dog") | {
            f"{start}-indexed-files.txt": rows(f"cat/0.jpg {n}", f"cat/1.jpg {n}", f"dog/0.jpg {n + 1}")
            for n, start in enumerate(("zero", "one"))
        },
        TWO, ["one-indexed-files.txt, zero-indexed-files.txt beside the class folders not used"],
    ),
    "distracted drivers": (
        classes("imgs/train/", "c0", "c1") | flat("imgs/test/", 2) | {
            "driver_imgs_list.csv": rows("subject,classname,img", *(f"p1,c{n},imgs/train/c{n}/0.jpg" for n in (0, 1))),
            "sample_submission.csv": rows("img,c0,c1", "0.jpg,0.5,0.5"),
        },
        {"train": every("c0", "c1")}, ["imgs_list.csv beside", "to keep each subject in one split"],
    ),
    "traffic signs, whose test a table labels": (
        classes("Train/", "0", "1", ending=".png") | flat("Test/", 2, ".png") | flat("Meta/", 2, ".png") | {
            "Train.csv": rows("Width,ClassId,Path", *(f"27,{name},Train/{name}/0.png" for name in "01")),
            "Test.csv": rows("Width,ClassId,Path", "53,1,Test/0.png", "53,0,Test/1.png"),
            "Meta.csv": rows("Path,ClassId,ShapeId", "Meta/0.png,0,1", "Meta/1.png,1,0"),
        },
        {"train": every("0", "1"), "test": every("0", "1", count=1)}, ["the labels of Test are from Test.csv", "Meta"],
    ),
    "Tiny ImageNet, whose val a table in it labels": (
        {f"train/{name}/images/{name}_{n}.JPEG": "" for name in ("n01", "n02") for n in range(2)}
        | flat("val/images/val_", 2, ".JPEG") | flat("test/images/test_", 2, ".JPEG")
        | {"val/val_annotations.txt": rows("val_0.JPEG n01 0 32 44 62", "val_1.JPEG n02 3 3 4 5"),
           "wnids.txt": "n01\nn02\n"},
        {"train": every("n01", "n02"), "val": every("n01", "n02", count=1)},
        ["the labels of val are from val_annotations.txt", "without labels, and left out: test (2 files)"],
    ),
    # Tables
    "cassava": (
        flat("train_images/", 4) | flat("test_images/9", 1) | {
            "train.csv": rows("image_id,label", "0.jpg,0", "1.jpg,1", "2.jpg,0", "3.jpg,1"),
            "sample_submission.csv": rows("image_id,label", "90.jpg,4"), "train_tfrecords/a.tfrec": "x",
            "label_num_to_disease_map.json": '{"0": "cat", "1": "dog"}',
        },
        TWO, ["train.csv are numbers, and their names are from", "not the folders test_images, train_images"],
    ),
    "blindness": (
        flat("train_images/a", 4, ".png") | flat("test_images/b", 1, ".png")
        | {"train.csv": rows("id_code,diagnosis", "a0,0", "a1,2", "a2,0", "a3,2"), "test.csv": rows("id_code", "b0")},
        {"": every("0", "2")}, ["a0 is train_images/a0.png"],
    ),
    "dog breeds": (
        flat("train/a", 4) | flat("test/b", 2) | {
            "labels.csv": rows("id,breed", "a0,cat", "a1,dog", "a2,cat", "a3,dog"),
            "sample_submission.csv": rows("id,cat,dog", "b0,0.5,0.5"),
        },
        TWO, ["a0 is train/a0.jpg"],
    ),
    "CIFAR-10 as a competition, the same ids in both splits": (
        flat("train/", 4, ".png") | flat("test/", 4, ".png") | {
            "trainLabels.csv": rows("id,label", "0,cat", "1,dog", "2,cat", "3,dog"),
            "sampleSubmission.csv": rows("id,label", "0,cat"),
        },
        TWO, ["0 is train/0.png"],
    ),
    "plant pathology, a column for each class": (
        flat("images/Train_", 4) | flat("images/Test_", 1)
        | {"train.csv": rows("image_id,cat,rust,dog", *(f"Train_{n},{1 - n % 2},0,{n % 2}" for n in range(4))),
           "test.csv": rows("image_id", "Test_0")},
        TWO, ["its columns of 0 and 1: cat, rust, dog"],
    ),
    "skin lesions, a column for each class": (
        flat("Training_Input/Training_Input/ISIC_", 4) | {
            "GroundTruth.csv": rows("image,cat,dog", *(f"ISIC_{n},{1 - n % 2}.0,{n % 2}.0" for n in range(4))),
            "Metadata.csv": rows("image,age_approx,sex", "ISIC_0,55.0,female"),
        },
        TWO, ["its columns of 0 and 1: cat, dog"],
    ),
    "an image folder of Hugging Face": (
        flat("train/", 2) | flat("test/", 2)
        | {f"{split}/metadata.csv": rows("file_name,label", "0.jpg,cat", "1.jpg,dog") for split in ("train", "test")},
        {"train": every("cat", "dog", count=1), "test": every("cat", "dog", count=1)},
        ["the splits come from train/metadata.csv, test/metadata.csv"],
    ),
    "the same in JSON Lines": (
        flat("train/", 2) | {"train/metadata.jsonl": rows(*(
            f'{{"file_name": "{n}.jpg", "label": "{name}", "box": [1, 2]}}' for n, name in enumerate(("cat", "dog"))
        ))},
        {"": every("cat", "dog", count=1)}, [],
    ),
    "classes of Roboflow": (
        flat("train/", 2) | flat("valid/", 2)
        | {f"{split}/_classes.csv": rows("filename, cat, dog", "0.jpg, 1, 0", "1.jpg, 0, 1")
           for split in ("train", "valid")},
        {"train": every("cat", "dog", count=1), "val": every("cat", "dog", count=1)}, ["columns of 0 and 1: cat, dog"],
    ),
    "names of several words, between spaces": (
        flat("data/", 4) | {"train.txt": rows("data/0.jpg Boeing 707", "data/1.jpg Boeing 737", "data/2.jpg A320",
                                              "data/3.jpg Boeing 707")},
        {"": {"Boeing 707": 2, "Boeing 737": 1, "A320": 1}}, ["column 2 is the label"],
    ),
}  # fmt: skip
# And those that are refused, with words of the reason and of what to do.
REFUSED: dict[str, tuple[Files, list[str]]] = {
    "dogs against cats, named by their files": (
        flat("train/cat.", 2) | flat("train/dog.", 2) | flat("test1/", 1)
        | {"sampleSubmission.csv": rows("id,label", "0,0")},
        ["test1 and train", "no class folders", "CSV"],
    ),
    "Oxford pets": (
        flat("images/beagle_", 2) | flat("annotations/trimaps/beagle_", 2, ".png")
        | {"annotations/list.txt": "beagle_0 1 1\n"},
        ["no class folders", "all its images are in images", "table"],
    ),
    "aircraft": (
        flat("data/images/", 2) | {"data/images_family_train.txt": "0 Boeing 707\n"},
        ["all its images are in images"],
    ),
    "fashion, whose label has no usual name": (
        flat("images/", 2) | {"styles.csv": rows("id,gender,articleType", "0,Men,Shirts", "1,Men,Hats")},
        ["styles.csv has no label column", "articleType"],
    ),
    "several tables": (
        flat("img/", 2) | {name: rows("id,label", "0,cat", "1,dog") for name in ("coarse.csv", "fine.csv")},
        ["several tables (coarse.csv, fine.csv)", "give the one you mean"],
    ),
    "PlantVillage in three versions": (
        classes("color/", "a", "b", "c") | classes("grayscale/", "a", "b", "c"),
        ["color", "color/a", "--class-folders"],
    ),
    "BreakHis by magnification": (
        classes("40X/", "benign", "malignant") | classes("100X/", "benign", "malignant"), ["100X", "--class-folders"],
    ),
    "OCT twice": (
        {f"{root}/{path}": "" for root in ("OCT2017 ", "oct2017/OCT2017 ") for path in THREE_SPLITS},
        ["more than one folder", "holds splits", "give the one you mean"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_data_set_is_read_as_it_comes(name: str, tmp_path: Path) -> None:
    files, expected, words = READ[name]
    listing = list_source(lay(tmp_path, files))
    assert reading(listing) == expected
    assert {split: frozenset(labels) for split, labels in expected.items()} == listing.classes
    assert all((listing.root / each.path).is_file() for each in (*listing.examples, *listing.misplaced))
    said = "\n".join(listing.notes)
    assert all(word in said for word in words), said


def test_a_zip_is_no_other_where_a_table_only_counts_the_folders(tmp_path: Path) -> None:
    lay(tmp_path / "set", classes("", "cat", "dog") | {"t.txt": rows("cat/0.jpg 1", "dog/0.jpg 2", "dog/1.jpg 2")})
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set")
    assert reading(list_source(archive)) == reading(list_source(tmp_path / "set")) == TWO


def test_a_table_in_a_split_of_a_zip_may_not_point_out_of_it(tmp_path: Path) -> None:
    lay(tmp_path, flat("", 1) | flat("set/train/", 2) | flat("set/test/", 2))
    for split, more in (("train", [f"{tmp_path}/0.jpg,cat"]), ("test", [])):
        text = rows("file_name,label", "0.jpg,cat", "1.jpg,dog", *more)
        (tmp_path / "set" / split / "metadata.csv").write_text(text, encoding="utf-8")
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set")
    with pytest.raises(CorollaError, match="outside the zip"):
        list_source(archive)


@pytest.mark.parametrize("name", REFUSED)
def test_what_nobody_could_read_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    files, words = REFUSED[name]
    with pytest.raises(CorollaError) as caught:
        list_source(lay(tmp_path, files))
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_a_row_of_two_classes_is_left_out_and_named(tmp_path: Path) -> None:
    lines = [
        f"{n}.jpg,{n % 2},{1 - n % 2}" for n in range(60)
    ]  # as many as are looked at to learn what it is, and more
    lay(tmp_path, flat("", 60) | {"t.csv": rows("image,cat,dog", *lines[:59], "59.jpg,1,1")})
    listing = list_source(tmp_path / "t.csv")
    assert len(listing.examples) == 59
    assert [(each.path, each.reason) for each in listing.misplaced] == [
        ("row 60 of t.csv", "the row has 2 of the classes")
    ]
