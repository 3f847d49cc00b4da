"""A graph in fewer bits. Only the model itself is touched: the preparation, the calibration and the novelty are not."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray

from corolla.export.onnx import hushed, scope
from corolla.portable.backends import INPUT
from corolla.portable.card import Precision

MODEL = ("model.patch_embed", "model.blocks")  # the parts that are made of large matrices
LARGE = 1024  # numbers of a constant that is worth fewer bits
LEARNED_FROM = 16  # images at a time


def quantize(model: onnx.ModelProto, precision: Precision, images: Callable[[], NDArray[np.uint8]]) -> onnx.ModelProto:
    """The graph at a precision; int8 learns the ranges of its numbers from preprocessed `images()` (n, H, W, 3)."""
    if precision == "fp16":
        return halved(model)
    return quantized(model, images()) if precision == "int8" else model


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights kept as float16 and computed with as float32: half the file, as fast, right to three digits.

    Processors have no float16 of their own to compute with; a runtime that has may fold the casts away.
    """
    small = copied(model)
    read = {name for node in small.graph.node if scope(node).startswith(MODEL) for name in node.input}
    casts = []
    for constant in small.graph.initializer:
        values = onnx.numpy_helper.to_array(constant)
        if constant.name in read and values.dtype == np.float32 and values.size >= LARGE:
            name, half = constant.name, f"{constant.name}.half"
            constant.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(onnx.helper.make_node("Cast", [half], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT))
    nodes = list(small.graph.node)
    del small.graph.node[:]
    small.graph.node.extend([*casts, *nodes])
    return small


def quantized(model: onnx.ModelProto, images: NDArray[np.uint8]) -> onnx.ModelProto:
    """Matrices and convolutions of 8-bit numbers, by ONNX Runtime's static quantization.

    Weights are int8 with a scale for each channel, activations uint8 between the least and the most that was seen.
    What has no constant factor (attention), norms, the head and all outside the model stay in float32.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The images, a few at a time."""

        def __init__(self) -> None:
            self.batches: Iterator[NDArray[np.uint8]] = iter(in_batches(images))

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    wanted = [node.name for node in model.graph.node if scope(node).startswith(MODEL)]
    with TemporaryDirectory(prefix="corolla-") as scratch, hushed():
        file = Path(scratch) / "int8.onnx"
        quantize_static(
            copied(model),  # which it would take its weights out of
            file,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm", "Conv"],
            nodes_to_quantize=wanted,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"MatMulConstBOnly": True},
        )
        return onnx.load_model(file)


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph of its own."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def in_batches(images: NDArray[np.uint8]) -> Sequence[NDArray[np.uint8]]:
    """The images (n, H, W, 3), a few at a time."""
    return [images[start : start + LEARNED_FROM] for start in range(0, len(images), LEARNED_FROM)]
