"""Runs an exported file with ONNX Runtime or OpenVINO. Both receive bytes, so they read no other file."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from corolla.errors import needed

Backend = Literal["onnxruntime", "openvino"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
INPUT = "images"  # uint8 (B, H, W, 3); files of corolla 0.1 use another name, so each file is asked for its own
# Maps images and the names of outputs to these outputs.
Compute = Callable[[NDArray[np.uint8], Sequence[str]], list[NDArray[np.float32]]]


def open_file(content: bytes, backend: Backend, threads: int | None) -> tuple[Compute, list[str], dict[str, str]]:
    """The function that computes a file, the names of its outputs, and its metadata; None for the default threads.

    Exceptions of the library for an invalid file pass through.
    """
    return {"onnxruntime": open_onnxruntime, "openvino": open_openvino}[backend](content, threads)


def open_onnxruntime(content: bytes, threads: int | None) -> tuple[Compute, list[str], dict[str, str]]:
    """Open with ONNX Runtime on the CPU."""
    library = needed("onnxruntime", "onnx")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 4  # errors are raised anyway
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the CPU to others
    session = library.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    names, entered = [output.name for output in session.get_outputs()], session.get_inputs()[0].name

    def compute(images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = session.run(list(outputs), {entered: images})
        return found

    return compute, names, dict(session.get_modelmeta().custom_metadata_map)


def open_openvino(content: bytes, threads: int | None) -> tuple[Compute, list[str], dict[str, str]]:
    """Open with OpenVINO on the CPU, in single precision: its default is bfloat16 where the CPU supports it."""
    core = openvino_core()
    model = core.read_model(content)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    compiled = core.compile_model(model, "CPU", settings)
    names, entered = [output.get_any_name() for output in compiled.outputs], compiled.inputs[0].get_any_name()

    def compute(images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        answers = compiled.create_infer_request().infer({entered: images})  # one per call, for thread safety
        return [np.array(answers[name]) for name in outputs]

    kept = model.get_rt_info()["framework"] if model.has_rt_info("framework") else {}
    return compute, names, {key: kept[key].astype(str) for key in kept}


@cache
def openvino_core() -> Any:
    """One Core for the whole process: it owns the stack of the signal handlers, which is freed with the last Core.

    The next signal, of Ctrl-C or of an ended child process, would then crash Python.
    """
    return needed("openvino", "openvino").Core()
