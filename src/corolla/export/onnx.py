"""Turns a classifier into the bytes of an ONNX file, with its card in the metadata."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch

from corolla.classifier import Classifier
from corolla.errors import CorollaError
from corolla.export.graph import Graph
from corolla.onnx_runtime.backends import INPUT
from corolla.onnx_runtime.metadata import KEY, OnnxMetadata

OPSET = 18  # supported by every runtime of recent years
LARGEST = 2**31 - 2**24  # the format's limit for one file in bytes, minus the card
EXAMPLE = (3, 40, 56, 3)  # of images; sizes that occur nowhere else, so that none becomes a constant
AXES = {0: "images", 1: "height", 2: "width"}
SCOPES = "pkg.torch.onnx.name_scopes"


def build(classifier: Classifier) -> onnx.ModelProto:
    """The graph of `corolla.export.graph` in single precision, for batches of images of any one size.

    By PyTorch's `torch.export`-based exporter, or its older tracing one if that fails. A node's name starts with its
    module in the model, such as `model.blocks.0`; the file has no other data of this computer.
    """
    size = sum(tensor.numel() * 4 for tensor in classifier.model.state_dict().values())
    if size > LARGEST:
        raise CorollaError(f"the model takes {size / 1e9:.1f} GB, and one ONNX file holds {LARGEST / 1e9:.1f} GB")
    graph = Graph(classifier).eval().cpu()
    with torch.no_grad(), hushed():
        try:
            model = free(by_program(graph))
        except Exception:  # the older exporter may succeed where a new version fails
            model = free(by_trace(graph))
    for node in model.graph.node:
        scopes = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES)
        if scopes:
            modules = [name for name in json.loads(scopes.replace("'", '"'))[:-1] if name]
            node.name = f"{modules[-1] if modules else ''}/{node.name}"
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    model.producer_name, model.doc_string = "corolla", ""
    return model


def by_program(graph: Graph) -> onnx.ModelProto:
    """Through `torch.export`."""
    sizes = ({axis: torch.export.Dim(name) for axis, name in AXES.items()},)
    program = torch.onnx.export(
        graph,
        (torch.zeros(EXAMPLE, dtype=torch.uint8),),
        dynamo=True,
        dynamic_shapes=sizes,
        input_names=[INPUT],
        output_names=graph.outputs,
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("it returned nothing")
    found: onnx.ModelProto = program.model_proto
    return found


def by_trace(graph: Graph) -> onnx.ModelProto:
    """Through TorchScript."""
    content = io.BytesIO()
    torch.onnx.export(
        graph,
        (torch.zeros(EXAMPLE, dtype=torch.uint8),),
        content,  # type: ignore[arg-type]
        dynamo=False,
        dynamic_axes={INPUT: AXES} | {name: {0: AXES[0]} for name in graph.outputs},
        input_names=[INPUT],
        output_names=graph.outputs,
        opset_version=OPSET,
    )
    return onnx.load_model_from_string(content.getvalue())


def free(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph; `CorollaError` if its image size or batch size is fixed."""
    [entered] = model.graph.input
    if not all(entered.type.tensor_type.shape.dim[axis].dim_param for axis in AXES):
        raise CorollaError("this version of PyTorch cannot export a model for images of any size; try another one")
    return model


def with_card(model: onnx.ModelProto, card: OnnxMetadata) -> bytes:
    """The bytes of the file."""
    del model.metadata_props[:]
    said = json.dumps(card.to_json(), ensure_ascii=False, allow_nan=False)
    onnx.helper.set_model_props(model, {KEY: said})
    content: bytes = model.SerializeToString()
    return content


def scope(node: Any) -> str:
    """The module of a node, such as "model.blocks.0.mlp"."""
    return str(node.name).rpartition("/")[0].strip("/").replace("/", ".")


@contextmanager
def hushed() -> Iterator[None]:
    """A context without the exporters' developer messages."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
