"""`~` is the home directory in every function and command that takes a path; whatever takes one is found and tried."""

import importlib
import inspect
import os
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from PIL import Image

import corolla
from corolla.audit.run_audit import audit
from corolla.batch_inference.run import predict as predict_many
from corolla.cache import cache_folder
from corolla.classifier import Classifier
from corolla.cli import main
from corolla.cli.app import app
from corolla.data.image_input import read_given
from corolla.data.sharding import write_shards
from corolla.data.sources import glance, is_word, list_source, refuse_untrainable
from corolla.data.streams.finding import find
from corolla.evaluation.evaluate import asked_about, asked_of, evaluate_data, read_labeled
from corolla.explanations.maps import explain, explain_all
from corolla.export.preflight import labeled_images
from corolla.export.preflight import refuse as refuse_export
from corolla.export.run_export import card_of, export
from corolla.onnx_runtime.explaining import explain_by_file
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.painted import paint_dataset
from corolla.paths import at, word
from corolla.pretrained import is_exported, run_folder
from corolla.run import find_run
from corolla.server.model import load_served
from corolla.training.resuming import added, place_of
from corolla.training.train import train
from corolla.weights import load_weights, pack, push, write_weights
from corolla.weights.fetching import located

QUICK: dict[str, Any] = {"batch_size": 8, "workers": 0, "device": "cpu", "epochs": 1}
PHOTO, PHOTOS, RUN, FILE = "~/photos/red/red 00.png", "~/photos", "~/run", "~/run.onnx"


def quiet(*_: object) -> None:
    """Progress that nobody watches."""


def classifier() -> Classifier:
    return Classifier.load(RUN)


def pushed() -> None:
    with pytest.raises(corolla.CorollaError, match="is not a name on the Hub"):  # the run was found, so it got so far
        push(RUN, "no repository")


# Every function that takes a path, and a call with paths in the home directory: what it gives is true.
CALLS: dict[str, Callable[[], object]] = {
    "corolla.loading.load": lambda: corolla.load(RUN).classes == ("blue", "green", "red") == corolla.load(FILE).classes,
    "corolla.audit.run_audit.audit": lambda: audit(PHOTOS, RUN).labels,
    "corolla.batch_inference.run.predict": lambda: (
        predict_many(RUN, PHOTOS, "~/new/all.parquet").rows == 60
        and predict_many(FILE, ["~/photos/red", Path("~/photos/bl*/*.png")], "~/new/two.parquet").rows == 40
        and at("~/new/two.parquet").is_file()
    ),
    "corolla.classifier.Classifier.load": lambda: classifier().classes,
    "corolla.data.image_input.read_given": lambda: read_given(PHOTO).size == read_given(Path(PHOTO)).size == (48, 40),
    "corolla.painted.dataset.paint_dataset": lambda: paint_dataset("~/new/painted", 5, size=16).is_relative_to(at("~")),
    "corolla.data.streams.finding.find": lambda: find("~/shards/*.tar"),
    "corolla.data.sharding.write_shards": lambda: write_shards(PHOTOS, "~/new/shards")["shards"],
    "corolla.data.sources.glance": lambda: glance(PHOTOS).examples,  # type: ignore[union-attr]
    "corolla.data.sources.is_word": lambda: not is_word(PHOTOS),
    "corolla.data.sources.list_source": lambda: len(list_source(PHOTOS).examples) == 60,
    "corolla.data.sources.load_data": lambda: len(corolla.load_data("~/photos").classes) == 3,
    "corolla.data.sources.refuse_untrainable": lambda: refuse_untrainable(PHOTOS) is None,
    "corolla.evaluation.evaluate.asked_about": lambda: len(asked_about(RUN, PHOTOS, "test", None)[0].examples) == 60,
    "corolla.evaluation.evaluate.evaluate": lambda: corolla.evaluate(RUN, PHOTOS).n == 60,
    "corolla.evaluation.evaluate.evaluate_data": lambda: evaluate_data(classifier(), PHOTOS).n == 60,
    "corolla.evaluation.evaluate.asked_of": lambda: len(asked_of(PHOTOS, "test", None, ("red",))[0].examples) == 60,
    "corolla.evaluation.evaluate.read_labeled": lambda: len(read_labeled(PHOTOS, None).examples) == 60,
    "corolla.explanations.maps.explain": lambda: explain(classifier(), PHOTO).label,
    "corolla.explanations.maps.explain_all": lambda: isinstance(
        next(explain_all(classifier(), [PHOTO], ["rollout"]))[1], list
    ),
    "corolla.export.run_export.export": lambda: (
        export(RUN, "~/new/file.onnx", data=PHOTOS).n and at("~/new/file.onnx").is_file()
    ),
    "corolla.export.run_export.card_of": lambda: card_of(RUN, classifier(), "fp32").name == "run",
    "corolla.export.preflight.labeled_images": lambda: labeled_images(RUN, PHOTOS, quiet).examples,
    "corolla.export.preflight.refuse": lambda: refuse_export(RUN, Path("new.onnx"), PHOTOS) is None,
    "corolla.onnx_runtime.explaining.explain_by_file": lambda: isinstance(
        next(explain_by_file(OnnxPredictor.load(FILE), [PHOTO]))[1], list
    ),
    "corolla.onnx_runtime.predictor.OnnxPredictor.load": lambda: OnnxPredictor.load(FILE).classes,
    "corolla.predictor.Predictor.predict": lambda: classifier().predict([PHOTO, Path(PHOTO)]),
    "corolla.predictor.Predictor.predict_proba": lambda: classifier().predict_proba([PHOTO]).shape == (1, 3),
    "corolla.predictor.Predictor.outputs": lambda: classifier().outputs([PHOTO]),
    "corolla.predictor.Predictor.iter_outputs": lambda: hasattr(
        next(classifier().iter_outputs([PHOTO]))[1], "probabilities"
    ),
    "corolla.predictor.Predictor.predict_iter": lambda: bool(next(classifier().predict_iter([PHOTO])).label),  # type: ignore[union-attr]
    "corolla.predictor.Predictor.read": lambda: hasattr(classifier().read(PHOTO), "shape"),
    "corolla.predictor.Predictor.pixels": lambda: classifier().pixels(PHOTO).shape == (16, 16, 3),
    "corolla.pretrained.is_exported": lambda: is_exported(FILE) and not is_exported(RUN),
    "corolla.pretrained.run_folder": lambda: (run_folder(RUN) / "config.json").is_file(),
    "corolla.run.find_run": lambda: find_run(RUN).check().classes,
    "corolla.server.model.load_served": lambda: load_served(FILE).file.is_file(),  # type: ignore[union-attr]
    "corolla.training.resuming.added": lambda: (
        len(added(PHOTOS, read_labeled(PHOTOS, None).with_examples(()), ())) == 60
    ),
    "corolla.training.resuming.place_of": lambda: place_of(PHOTOS) == os.path.realpath(at(PHOTOS)),
    "corolla.training.train.train": lambda: (
        train(PHOTOS, "~/new/run", weights=RUN, **QUICK).weights == at("~/new/run/model.safetensors")
        and at("~/new/run/model.safetensors").is_file()
    ),
    "corolla.weights.fetching.located": lambda: located(RUN)[0].is_dir(),
    "corolla.weights.loading.load_weights": lambda: load_weights(RUN).classes,
    "corolla.weights.packing.pack": lambda: pack(RUN, "~/new/packed") == 0 and at("~/new/packed/config.json").is_file(),
    "corolla.weights.pushing.push": lambda: pushed() is None,
    "corolla.weights.writing.write_weights": lambda: (
        write_weights(load_weights(RUN), "~/new/timm", "timm") and at("~/new/timm/config.json").is_file()
    ),
    "corolla.paths.at": lambda: at("~") == Path.home(),
    "corolla.paths.word": lambda: word("~") == str(Path.home()),
}
# What the path is for there is an error's text, or it was expanded before.
ONLY_TOLD = {
    "corolla.audit.run_audit.refusal", "corolla.data.sources.split_listing",
    "corolla.evaluation.evaluate.check_unchanged", "corolla.training.preflight.refuse",
    "corolla.training.resuming.told_of", "corolla.training.train.first_config",
}  # fmt: skip
COMMANDS = {
    "predict": ["predict", RUN, "~/photos/red", "--csv", "~/new/answers.csv", "--plot", "~/new/grid.png"],
    "predict a pattern": ["predict", FILE, "~/photos/*/* 00.png", "--csv", "~/new/pattern.csv"],
    "predict many": ["predict", RUN, PHOTOS, "--out", "~/new/bulk.parquet"],
    "explain": ["explain", RUN, PHOTO, "--out", "~/new/why"],
    "evaluate": ["evaluate", RUN, PHOTOS],
    "compare": ["compare", RUN, RUN, "--data", PHOTOS, "--out", "~/new/comparison.html"],
    "export": ["export", RUN, "--data", PHOTOS, "--out", "~/new/exported.onnx"],
    "audit": ["audit", PHOTOS, "--out", "~/new/audit", "--fix", "~/new/fixed.csv"],
    "train": ["train", PHOTOS, "--out", "~/new/trained", "--weights", RUN, "--recipe", "probe", "--workers", "0"],
    "data paint": ["data", "paint", "~/new/flowers", "--count", "5", "--size", "16"],
    "data shard": ["data", "shard", PHOTOS, "~/new/shard"],
    "weights show": ["weights", "show", RUN],
    "weights convert": ["weights", "convert", RUN, "~/new/converted", "--to", "corolla"],
}  # fmt: skip


def takes_a_path(annotation: Any) -> bool:
    """Whether a `str | os.PathLike[str]` is anywhere in it."""
    if isinstance(annotation, str):
        return "AnyPath" in annotation or "ImageInput" in annotation
    inside = get_args(annotation)
    return (str in inside and os.PathLike[str] in inside) or any(map(takes_a_path, inside))


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and method of corolla by its name."""
    names = [info.name for info in pkgutil.walk_packages(corolla.__path__, "corolla.") if "__main__" not in info.name]
    modules = [corolla, *map(importlib.import_module, names)]
    for module in modules:
        for owner in (module, *(kind for kind in vars(module).values() if inspect.isclass(kind))):
            for name, found in vars(owner).items():
                found = found.__func__ if isinstance(found, staticmethod) else found
                if inspect.isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_"):
                    yield f"{module.__name__}.{found.__qualname__}", found


@pytest.fixture(scope="module")
def home(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory with photos, a run, its exported file and shards."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(swatches, home / "photos")
    corolla.train(home / "photos", home / "run", model="vit_pico_conv8_16", **QUICK)
    export(home / "run", home / "run.onnx")
    write_shards(home / "photos", home / "shards")
    return home


@pytest.fixture(autouse=True)
def _at_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything happens in an empty folder, in which nothing may appear."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def test_every_function_that_takes_a_path_is_tried_here() -> None:
    found = set()
    for name, function in functions():
        parameters = inspect.signature(function).parameters.values()
        if any(takes_a_path(parameter.annotation) for parameter in parameters):
            found.add(name)
    assert found == CALLS.keys() | ONLY_TOLD


@pytest.mark.parametrize("name", CALLS)
def test_a_function_finds_the_home_directory(name: str) -> None:
    assert CALLS[name]()


def test_every_command_expands_its_paths() -> None:
    def all_of(group: typer.Typer) -> Iterator[Any]:
        yield from (info.callback for info in group.registered_commands)
        for inner in group.registered_groups:
            assert inner.typer_instance is not None
            yield from all_of(inner.typer_instance)

    commands = list(all_of(app))
    assert len(commands) >= 19
    for command in commands:
        wanted: dict[str, Any] = {"file": Path("~/x"), "files": [Path("~/y"), "~/z"], "name": "~/name", "none": None}
        seen: dict[str, Any] = {}
        code = command.__closure__
        assert code is not None  # it is wrapped by `at_home`, tried here with another function inside
        [cell] = [cell for cell in code if inspect.isfunction(cell.cell_contents)]
        inside, cell.cell_contents = cell.cell_contents, lambda **values: seen.update(values)  # noqa: B023
        try:
            command(**wanted)
        finally:
            cell.cell_contents = inside
        assert seen == wanted | {"file": Path.home() / "x", "files": [Path.home() / "y", "~/z"]}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_finds_the_home_directory(words: list[str], home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0, capfd.readouterr().err
    for place in words:
        if place.startswith("~/new/"):
            assert (home / place.removeprefix("~/")).exists()


def test_other_paths_and_names_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert word("s3://bucket//photos") == "s3://bucket//photos"
    assert word("flowers") == "flowers"
    assert at("a/~/b") == Path("a/~/b")
    assert at("~nobody-is-called-so/x") == Path("~nobody-is-called-so/x")
    monkeypatch.setenv("COROLLA_CACHE", "~/cache")
    assert cache_folder() == Path.home() / "cache"
    assert isinstance(read_given(PHOTO), Image.Image)
