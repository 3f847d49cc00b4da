"""Folders as people have them, and what is read from each: classes by split, or the reason why nothing is."""

import shutil
from pathlib import Path

import pytest

import corolla
from corolla.data.folders import list_folder
from corolla.data.reading import read_path
from corolla.data.sources import list_source, refuse_untrainable
from corolla.errors import CorollaError
from laying import Reading, lay, reading

# By a name: the files there are, and how many images of which class are read for which split ("" where none is told).
READ: dict[str, tuple[list[str], Reading]] = {
    "classes": (["cat/1.jpg", "dog/2.jpg"], {"": {"cat": 1, "dog": 1}}),
    "splits": (
        ["train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg"],
        {"train": {"cat": 1, "dog": 1}, "test": {"cat": 1}},
    ),
    "training_set": (
        ["training_set/cats/1.jpg", "training_set/dogs/2.jpg", "test_set/cats/3.jpg", "test_set/dogs/4.jpg"],
        {"train": {"cats": 1, "dogs": 1}, "test": {"cats": 1, "dogs": 1}},
    ),
    "doubled": (
        ["seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/2.jpg", "seg_test/seg_test/sea/3.jpg"],
        {"train": {"sea": 1, "ice": 1}, "test": {"sea": 1}},
    ),
    "images to predict beside the splits": (
        ["seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/2.jpg", "seg_test/seg_test/sea/3.jpg",
         "seg_pred/seg_pred/4.jpg"],
        {"train": {"sea": 1, "ice": 1}, "test": {"sea": 1}},
    ),
    "a test split without labels": (
        ["train/sea/1.jpg", "train/ice/2.jpg", "test/3.jpg"], {"train": {"sea": 1, "ice": 1}},
    ),
    "the same, doubled": (
        ["train/train/sea/1.jpg", "train/train/ice/2.jpg", "test/test/3.jpg"], {"train": {"sea": 1, "ice": 1}},
    ),
    "classes with words of splits and the same folders in each": (
        ["train engine/2019/1.jpg", "test car/2019/2.jpg", "bus/2019/3.jpg", "train engine/2020/4.jpg",
         "test car/2020/5.jpg", "bus/2020/6.jpg"],
        {"": {"train engine": 2, "test car": 2, "bus": 2}},
    ),
    "camels": (
        ["TrainImages/a/1.jpg", "TrainImages/b/2.jpg", "TestImages/a/3.jpg"],
        {"train": {"a": 1, "b": 1}, "test": {"a": 1}},
    ),
    "wrapped splits": (
        ["archive/data/train/a/1.jpg", "archive/data/train/b/2.jpg", "archive/data/val/a/3.jpg"],
        {"train": {"a": 1, "b": 1}, "val": {"a": 1}},
    ),
    "images inside each split": (
        ["train/images/a/1.jpg", "train/images/b/2.jpg", "val/images/a/3.jpg", "val/images/b/4.jpg"],
        {"train": {"a": 1, "b": 1}, "val": {"a": 1, "b": 1}},
    ),
    "nested, the same in every split": (
        ["train/Fruit/Apple/Golden/1.jpg", "train/Fruit/Apple/Gala/2.jpg", "train/Fruit/Banana/3.jpg",
         "train/Packages/Milk/4.jpg", "test/Fruit/Apple/Golden/5.jpg", "test/Packages/Milk/6.jpg"],
        {"train": {"Golden": 1, "Gala": 1, "Banana": 1, "Milk": 1}, "test": {"Golden": 1, "Milk": 1}},
    ),
    "nested, one name twice": (
        ["train/Apple/Red/1.jpg", "train/Pepper/Red/2.jpg", "train/Pepper/Green/3.jpg", "val/Apple/Red/4.jpg"],
        {"train": {"Apple/Red": 1, "Pepper/Red": 1, "Green": 1}, "val": {"Apple/Red": 1}},
    ),
    "splits in one of two folders": (
        ["dataset/train/a/1.jpg", "dataset/train/b/2.jpg", "dataset/test/a/3.jpg", "sample_images/x.jpg"],
        {"train": {"a": 1, "b": 1}, "test": {"a": 1}},
    ),
    "something beside the splits": (
        ["train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg", "test/b/4.jpg", "iconic/a/5.jpg"],
        {"train": {"a": 1, "b": 1}, "val": {"a": 1}, "test": {"b": 1}},
    ),
    "one folder in each class": (["rose/images/1.jpg", "tulip/images/2.jpg"], {"": {"rose": 1, "tulip": 1}}),
    "the same folders in each class": (
        ["rose/2023/1.jpg", "rose/2024/2.jpg", "tulip/2023/3.jpg", "tulip/2024/4.jpg"], {"": {"rose": 2, "tulip": 2}},
    ),
    "words of splits": (["steam train/1.jpg", "test tube/2.jpg"], {"": {"steam train": 1, "test tube": 1}}),
    "no training split": (
        ["val/a/1.jpg", "val/b/2.jpg", "test/a/3.jpg"], {"val": {"a": 1, "b": 1}, "test": {"a": 1}},
    ),
    "a test split alone": (["test/a/1.jpg", "test/b/2.jpg"], {"test": {"a": 1, "b": 1}}),
    "lists and annotations beside the images": (
        ["food/images/pie/1.jpg", "food/images/cake/2.jpg", "food/meta/train.txt", "food/meta/classes.json",
         "food/images/pie/boxes/1.xml"],
        {"": {"pie": 1, "cake": 1}},
    ),
    "train, a class": (["train/1.jpg", "bus/2.jpg"], {"": {"train": 1, "bus": 1}}),
}  # fmt: skip
# And those that are refused, with words of the reason and of what to do.
REFUSED: dict[str, tuple[list[str], list[str]]] = {
    "splits without classes": (
        ["train/1.jpg", "train/2.jpg", "test/3.jpg"], ["test and train", "no class folders", "CSV"],
    ),
    "patients or classes": (
        ["cat/tom/1.jpg", "cat/kitty/2.jpg", "dog/rex/3.jpg", "dog/bello/4.jpg"], ["cat", "tom", "--class-folders"],
    ),
    "train beside classes": (["train/a/1.jpg", "train/b/2.jpg", "c/3.jpg"], ["train", "beside others", "c"]),
}  # fmt: skip


@pytest.mark.parametrize("habit", READ)
def test_a_tree_is_read_as_its_owner_means_it(habit: str, tmp_path: Path) -> None:
    files, expected = READ[habit]
    listing = read_path(lay(tmp_path, files))
    assert reading(listing) == expected
    assert {split: frozenset(labels) for split, labels in expected.items()} == listing.classes
    read = {listing.root / example.path for example in listing.examples}
    left_out = {listing.root / skipped.path for skipped in listing.misplaced}
    assert not read & left_out
    assert {tmp_path / name for name in files if name.endswith(".jpg")} == read | left_out
    beside = {Path(skipped.path).parts[0] for skipped in listing.misplaced}
    assert all(any(name in note for note in listing.notes) for name in beside)


@pytest.mark.parametrize("habit", ["no training split", "a test split alone"])
def test_what_has_nothing_to_train_on_is_refused_for_a_training_alone(habit: str, tmp_path: Path) -> None:
    lay(tmp_path, READ[habit][0])
    with pytest.raises(CorollaError, match=r"test.* but nothing to train on; add the training images as a split train"):
        refuse_untrainable(tmp_path)


@pytest.mark.parametrize("habit", REFUSED)
def test_what_could_mean_two_things_is_refused_in_one_line(habit: str, tmp_path: Path) -> None:
    files, words = REFUSED[habit]
    with pytest.raises(CorollaError) as caught:
        list_folder(lay(tmp_path, files))
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_nested_classes_are_settled_by_an_option(tmp_path: Path) -> None:
    lay(tmp_path, REFUSED["patients or classes"][0])
    assert {e.label for e in list_folder(tmp_path, class_folders="top").examples} == {"cat", "dog"}
    assert {e.label for e in list_folder(tmp_path, class_folders="leaf").examples} == {"tom", "kitty", "rex", "bello"}


def test_runs_among_the_images_are_passed_over_and_named(tmp_path: Path) -> None:
    lay(tmp_path, ["cat/1.jpg", "dog/2.jpg", "runs/x/config.json", "runs/x/manifest.csv", "runs/x/report/cat/3.jpg"])
    lay(tmp_path, ["cat/run/config.json", "cat/run/model.safetensors", "cat/run/images/4.jpg", "begun/.lock"])
    listing = list_folder(tmp_path)
    assert [example.path for example in listing.examples] == ["cat/1.jpg", "dog/2.jpg"]
    assert listing.classes == {"": {"cat", "dog"}}
    assert listing.notes == ("skipped, because they are run folders and not images: begun, cat/run, runs/x",)


def test_a_run_may_be_made_among_the_images_it_is_trained_on(
    swatches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(swatches, tmp_path / "photos")
    monkeypatch.chdir(tmp_path / "photos")
    for name in ("runs/first", "runs/second"):
        run = corolla.train(".", name, model="vit_pico_conv8_16", epochs=1, workers=0, device="cpu")
        assert run.load_config().classes == ("blue", "green", "red")


def test_what_is_refused_leaves_nothing_among_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, ["cat/1.jpg"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorollaError, match="the single class 'cat'"):
        corolla.train(".", "runs/first", epochs=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cat"]


@pytest.mark.parametrize("word", ["flowers", "painted"])
def test_a_folder_of_ones_own_counts_for_more_than_a_word(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / word, ["cat/1.jpg", "dog/2.jpg"])
    monkeypatch.chdir(tmp_path)
    listing = list_source(word)
    assert listing.classes == {"": {"cat", "dog"}}
    assert listing.notes[0].startswith(f"your own folder {word} is used")


def test_the_classes_of_a_model_tell_nested_folders_apart(tmp_path: Path) -> None:
    lay(tmp_path, REFUSED["patients or classes"][0])
    assert {e.label for e in list_folder(tmp_path, known=["cat", "dog", "cow"]).examples} == {"cat", "dog"}
    leaves = {"tom", "kitty", "rex", "bello"}
    assert {e.label for e in list_folder(tmp_path, known=[*leaves, "x"]).examples} == leaves
    with pytest.raises(CorollaError, match="--class-folders"):
        list_folder(tmp_path, known=["cow", "pig"])


def test_a_class_called_by_its_path_is_found_by_it_where_its_name_stands_alone(tmp_path: Path) -> None:
    lay(tmp_path, ["Apple/Red/1.jpg", "Apple/Green/2.jpg", "Pepper/Yellow/3.jpg"])
    listing = list_folder(tmp_path, known=["Apple/Red", "Pepper/Red", "Green", "Yellow"])
    assert {e.label for e in listing.examples} == {"Apple/Red", "Green", "Yellow"}
