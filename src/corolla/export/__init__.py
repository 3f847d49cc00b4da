"""A run as one ONNX file that answers alone, and the proof that it answers the same.

`resize` and `graph` are what goes into the file, `onnx` writes it, `precisions` makes it smaller, `proof` holds it
against the run.
"""
