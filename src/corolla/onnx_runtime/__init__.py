"""Predictions from an exported file, without torch: ONNX Runtime or OpenVINO and the file's metadata.

`card` is the metadata, `backends` runs the graph, and `predictor` predicts as a run does.
"""
