"""Fewer bits, in the model's own matrices alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from corolla.classifier import Classifier
from corolla.export.onnx import scope, with_card
from corolla.export.precisions import MODEL, quantize
from corolla.onnx_runtime.backends import BACKENDS, Backend
from corolla.onnx_runtime.metadata import Precision
from corolla.onnx_runtime.predictor import OnnxPredictor
from shapes import noises


@pytest.fixture(scope="module", params=["fp16", "int8"])
def smaller(request: pytest.FixtureRequest, graph: onnx.ModelProto) -> tuple[Precision, onnx.ModelProto]:
    return request.param, quantize(graph, request.param, lambda: noises(40, seed=3))


@pytest.mark.parametrize("backend", BACKENDS)
def test_answers_stay_close(
    small: Classifier, smaller: tuple[Precision, onnx.ModelProto], card: Callable, backend: Backend, tmp_path: Path
) -> None:
    precision, model = smaller
    file = tmp_path / "smaller.onnx"
    file.write_bytes(with_card(model, card(small, precision)))
    portable, pixels = OnnxPredictor.load(file, backend), noises(12, seed=4)
    assert portable.card.precision == precision
    found = np.stack([output.probabilities for output in portable.infer(pixels)])
    expected = np.stack([output.probabilities for output in small.infer(pixels)])
    apart = np.abs(found - expected).max()
    assert 0 < apart < {"fp16": 0.01, "int8": 0.2}[precision]


def test_it_is_smaller_and_the_graph_it_was_made_of_is_as_it_was(
    graph: onnx.ModelProto, smaller: tuple[Precision, onnx.ModelProto]
) -> None:
    assert smaller[1].ByteSize() < graph.ByteSize()
    assert {constant.data_type for constant in graph.graph.initializer} <= {
        onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.INT32
    }  # fmt: skip
    assert quantize(graph, "fp32", lambda: noises(1)) is graph


def test_only_the_model_has_fewer_bits(smaller: tuple[Precision, onnx.ModelProto]) -> None:
    precision, model = smaller
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    made = {output: node for node in model.graph.node for output in node.output}
    few = {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8}
    changed = set()
    for node in model.graph.node:
        sources = [made[name].input[0] for name in node.input if name in made and made[name].input]
        if node.op_type in ("MatMul", "Gemm", "Conv") and any(types.get(source) in few for source in sources):
            changed.add(scope(node))
    assert changed
    assert all(name.startswith(MODEL) for name in changed), changed
    assert {"model.blocks.0.attn.qkv", "model.blocks.1.mlp.fc2"} <= changed or precision == "fp16"
