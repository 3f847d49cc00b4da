"""What computes an exported file: ONNX Runtime, or OpenVINO. Both are given bytes, so no file beside it is read."""

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from corolla.errors import CorollaError

Backend = Literal["onnxruntime", "openvino"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
INPUT = "images"  # uint8 (B, H, W, 3); files of corolla 0.1 call it otherwise, so that each is asked for its own name
# From images and the names of outputs to these outputs.
Compute = Callable[[NDArray[np.uint8], Sequence[str]], list[NDArray[np.float32]]]


def open_file(content: bytes, backend: Backend, threads: int | None) -> tuple[Compute, list[str], dict[str, str]]:
    """How to compute a file, the names of its outputs, and its metadata; None for as many threads as it likes.

    Whatever the library raises for a file that is none passes through.
    """
    return {"onnxruntime": open_onnxruntime, "openvino": open_openvino}[backend](content, threads)


def open_onnxruntime(content: bytes, threads: int | None) -> tuple[Compute, list[str], dict[str, str]]:
    """By ONNX Runtime on the CPU."""
    library = needed("onnxruntime", "onnx")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 4  # what goes wrong is raised, too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the CPU to others
    session = library.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    names, entered = [output.name for output in session.get_outputs()], session.get_inputs()[0].name

    def compute(images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = session.run(list(outputs), {entered: images})
        return found

    return compute, names, dict(session.get_modelmeta().custom_metadata_map)


def open_openvino(content: bytes, threads: int | None) -> tuple[Compute, list[str], dict[str, str]]:
    """By OpenVINO on the CPU, in single precision: left alone it would round to bfloat16 where the CPU can."""
    core = openvino_core()
    model = core.read_model(content)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    compiled = core.compile_model(model, "CPU", settings)
    names, entered = [output.get_any_name() for output in compiled.outputs], compiled.inputs[0].get_any_name()

    def compute(images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        answers = compiled.create_infer_request().infer({entered: images})  # one a call, so that threads may share it
        return [np.array(answers[name]) for name in outputs]

    kept = model.get_rt_info()["framework"] if model.has_rt_info("framework") else {}
    return compute, names, {key: kept[key].astype(str) for key in kept}


@cache
def openvino_core() -> Any:
    """The same for the whole process: it lends signal handlers their stack, and with the last one they would lose it.

    The first signal after that, of Ctrl-C or of a process that ended, would then crash Python.
    """
    return needed("openvino", "openvino").Core()


def needed(library: str, extra: str) -> Any:
    """The library, or `CorollaError` saying how to get it."""
    try:
        return importlib.import_module(library)
    except ImportError:
        raise CorollaError(f"this needs {library}; install it with: pip install 'corolla[{extra}]'") from None
