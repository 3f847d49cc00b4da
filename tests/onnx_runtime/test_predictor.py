"""Files that are not ours, or not whole, are refused in one line; ours can be asked from many threads."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import corolla
from corolla.errors import CorollaError
from corolla.export.onnx import with_card
from corolla.onnx_runtime.backends import BACKENDS, Backend
from corolla.onnx_runtime.explaining import explain_by_file
from corolla.onnx_runtime.predictor import OnnxPredictor
from shapes import noises


def foreign(metadata: dict[str, str] | None = None, external: Path | None = None) -> bytes:
    """A sound graph that nobody here made."""
    entered = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])
    left = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", "h", "w", 3])
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [1], [2.0])
    if external:
        weight = onnx.TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1], data_location="EXTERNAL")
        weight.external_data.add(key="location", value=str(external))
    nodes = [
        helper.make_node("Cast", ["images"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "weight"], ["probabilities"]),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [entered], [left], [weight]), ir_version=10)
    model.opset_import[0].version = 18
    if metadata:
        helper.set_model_props(model, metadata)
    return model.SerializeToString()


def refused(content: bytes, tmp_path: Path, backend: Backend = "onnxruntime") -> str:
    file = tmp_path / "some.onnx"
    file.write_bytes(content)
    with pytest.raises(CorollaError) as caught:
        OnnxPredictor.load(file, backend)
    assert "\n" not in str(caught.value)
    assert "some.onnx" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "content", [b"", b"no model", b"\x08\x07" * 50, foreign()[:-30]], ids=["empty", "text", "noise", "cut"]
)
def test_broken_files_are_refused_in_one_line(content: bytes, backend: Backend, tmp_path: Path) -> None:
    refused(content, tmp_path, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_peoples_models_are_told_from_ours(backend: Backend, tmp_path: Path) -> None:
    assert "not from `corolla export`" in refused(foreign(), tmp_path, backend)
    refused(foreign({"corolla": "{"}), tmp_path, backend)
    refused(foreign({"corolla": "[]"}), tmp_path, backend)


def test_a_card_over_a_graph_without_its_outputs_is_refused(tiny: bytes, tmp_path: Path) -> None:
    model = onnx.load_model_from_string(tiny)
    del model.graph.output[2:]
    assert "lacks the outputs ood_score, rollout" in refused(model.SerializeToString(), tmp_path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_in_another_file_are_never_read(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(np.float32(3).tobytes())
    for location in (Path("secret"), tmp_path / "secret"):
        assert "weights in other files" in refused(foreign(external=location), tmp_path, backend)


def test_a_card_that_names_too_few_classes_does_not_answer(tiny: bytes, tmp_path: Path) -> None:
    model = onnx.load_model_from_string(tiny)
    model.metadata_props[0].value = model.metadata_props[0].value.replace('["a", "b", "c"]', '["a", "b"]')
    file = tmp_path / "few.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(CorollaError, match="export it again"):
        OnnxPredictor.load(file).infer(noises(1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_may_share_it(tiny: bytes, backend: Backend, tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny)
    portable = OnnxPredictor.load(file, backend, threads=1)
    batches = [noises(1 + seed % 3, seed) for seed in range(24)]
    alone = [[output.probabilities for output in portable.infer(batch)] for batch in batches]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda batch: [output.probabilities for output in portable.infer(batch)], batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


AFTERWARDS = """
import gc, signal, subprocess, sys
from corolla.onnx_runtime.predictor import OnnxPredictor
first, second = (OnnxPredictor.load(sys.argv[1], sys.argv[2]) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGCHLD, lambda *_: print("handled"))
subprocess.run([sys.executable, "-c", ""])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells nobody of a process that ended")
@pytest.mark.parametrize("backend", BACKENDS)
def test_signals_are_handled_after_predictors_are_gone(tiny: bytes, backend: Backend, tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny)
    command = [sys.executable, "-c", AFTERWARDS, str(file), backend]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "handled")


def test_explanations_and_unreadable_images_in_order(tiny: bytes, tmp_path: Path) -> None:
    from PIL import Image

    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny)
    portable = corolla.load(file)
    assert isinstance(portable, OnnxPredictor)
    one, other = (Image.fromarray(noises(1, seed)[0]) for seed in (0, 2))
    found = dict(explain_by_file(portable, [one, b"no image", other]))
    assert "not an image" in str(found[1])
    assert [found[place][0].map.shape for place in (0, 2)] == [(2, 5), (2, 5)]
    assert found[0][0].label == portable.predict(one).label
    assert found[0][0].overlay().size == (40, 16)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(CorollaError, match="no such file"):
        OnnxPredictor.load("nowhere.onnx")


@pytest.fixture(scope="module")
def tiny(graph: onnx.ModelProto, small: object, card: Callable) -> bytes:
    return with_card(graph, card(small))
