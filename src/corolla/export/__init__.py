"""Exports a run as one self-contained ONNX file, and verifies that it predicts the same.

`resize` and `graph` are the exported modules, `onnx` writes the file, `precisions` makes it smaller, `proof` compares
it with the run.
"""
