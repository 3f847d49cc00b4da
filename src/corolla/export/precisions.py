"""Reduces a graph's precision: only of the model itself, not of preprocessing, calibration and OOD score."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray

from corolla.export.onnx import hushed, scope
from corolla.onnx_runtime.backends import INPUT
from corolla.onnx_runtime.metadata import Precision

MODEL = ("model.patch_embed", "model.blocks")  # the parts with large matrices
LARGE = 1024  # minimum number of elements of a constant to convert
LEARNED_FROM = 16  # images per batch


def quantize(model: onnx.ModelProto, precision: Precision, images: Callable[[], NDArray[np.uint8]]) -> onnx.ModelProto:
    """The graph at a precision; int8 calibrates its ranges on preprocessed `images()` (n, H, W, 3)."""
    if precision == "fp16":
        return halved(model)
    return quantized(model, images()) if precision == "int8" else model


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights stored as float16 and cast to float32: half the file size, same speed, correct to three digits.

    CPUs have no float16 arithmetic; a runtime that has it may fold the casts away.
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
    """8-bit matrix multiplications and convolutions, by ONNX Runtime's static quantization.

    Weights are int8 with a scale per channel, activations uint8 between the observed minimum and maximum.
    Products without a constant factor (attention), norms, the head and everything outside the model stay in float32.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The images in batches."""

        def __init__(self) -> None:
            self.batches: Iterator[NDArray[np.uint8]] = iter(in_batches(images))

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    wanted = [node.name for node in model.graph.node if scope(node).startswith(MODEL)]
    with TemporaryDirectory(prefix="corolla-") as scratch, hushed():
        file = Path(scratch) / "int8.onnx"
        quantize_static(
            copied(model),  # because it removes the weights from its input
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
    """A copy of the graph."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def in_batches(images: NDArray[np.uint8]) -> Sequence[NDArray[np.uint8]]:
    """The images (n, H, W, 3) in batches."""
    return [images[start : start + LEARNED_FROM] for start in range(0, len(images), LEARNED_FROM)]
