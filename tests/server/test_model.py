"""What a server says of its model, whatever somebody's run says of itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corolla.errors import CorollaError
from corolla.evaluation.metrics import wilson
from corolla.server.model import Served, load_served


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(trained, tmp_path / "a run"))


def change(file: Path, **values: Any) -> None:
    said = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(said | values), encoding="utf-8")


def test_the_accuracy_is_that_of_the_test_images(trained: Path) -> None:
    figures = json.loads((trained / "evaluation.json").read_text(encoding="utf-8"))
    served = load_served(trained)
    accuracy = served.facts.accuracy
    assert accuracy
    assert accuracy.value == figures["accuracy"]
    assert [accuracy.low, accuracy.high] == pytest.approx(figures["interval"])
    assert (accuracy.images, accuracy.split) == (figures["n"], "test")
    assert served.report == trained / "report.html"


def test_when_its_training_ended_is_known(trained: Path) -> None:
    ended = load_served(trained).facts.ended
    assert ended == json.loads((trained / "config.json").read_text(encoding="utf-8"))["training"]["ended"]
    assert ended
    assert ended.endswith("+00:00")


def test_without_an_evaluation_it_is_that_of_validation_named_as_such(flowers: Served) -> None:
    accuracy = flowers.facts.accuracy
    assert accuracy
    assert (accuracy.split, accuracy.images) == ("val", 555)
    assert (accuracy.low, accuracy.high) == wilson(round(accuracy.value * 555), 555)


@pytest.mark.parametrize(
    "values",
    [
        {"split": "val"},
        {"trained_on": 3},
        {"accuracy": "all"},
        {"accuracy": 7},
        {"accuracy": float("inf")},
        {"n": 0},
        {"n": None},
        {"n": [1]},
    ],
)
def test_an_evaluation_that_says_nothing_of_new_images_is_not_used(run: Path, values: dict[str, Any]) -> None:
    change(run / "evaluation.json", **values)
    accuracy = load_served(run).facts.accuracy
    assert accuracy is None or accuracy.split == "val"


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "null"])
def test_a_damaged_evaluation_is_not_used(run: Path, text: str) -> None:
    (run / "evaluation.json").write_text(text, encoding="utf-8")
    accuracy = load_served(run).facts.accuracy
    assert accuracy is None or accuracy.split == "val"


def test_a_config_that_says_nothing_leaves_the_facts_out(run: Path) -> None:
    (run / "evaluation.json").unlink()
    (run / "report.html").unlink()
    change(run / "config.json", training={"ended": 5, "parameters": "many"}, data={"root": "", "counts": []})
    served = load_served(run)
    assert (served.facts.accuracy, served.facts.ended, served.facts.parameters) == (None, None, None)
    assert served.report is None


def test_maps_are_those_of_corolla_explain(flowers: Served, painted: dict[str, bytes]) -> None:
    from corolla.classifier import Classifier
    from corolla.explanations.maps import explain

    assert isinstance(flowers.predictor, Classifier)
    assert flowers.explain
    pixels = flowers.predictor.read(painted["roses"])
    [found] = flowers.explain(np.stack([pixels]))
    assert np.allclose(found, explain(flowers.predictor, painted["roses"]).map, atol=1e-5)


def test_a_model_too_large_to_explain_answers_all_the_same(
    trained: Path, serving: Any, painted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corolla.explanations.maps.MOST", 1)
    with serving(load_served(trained)) as server:
        assert server.get("/v1/model").json()["explains"] is None
        assert server.post(painted["daisy"]).status_code == 200
        refused = server.post(painted["daisy"], explain="true")
    assert refused.status_code == 422
    assert refused.json() == {"error": "explain: this model cannot explain its predictions"}


def test_images_are_explained_as_few_together_as_the_memory_holds(
    trained: Path, painted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = load_served(trained)
    pixels = np.stack([served.predictor.read(image) for image in painted.values()])  # type: ignore[arg-type]
    monkeypatch.setattr("corolla.explanations.maps.ROOM", 1)
    few = load_served(trained)
    assert served.explain
    assert few.explain
    assert np.allclose(served.explain(pixels), few.explain(pixels), atol=1e-5)


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="is not a run folder"):
        load_served(tmp_path)
