"""Answers from an exported file, without torch: ONNX Runtime or OpenVINO and what the file says of itself.

`card` is what the file carries beside its weights, `backends` computes, and `predictor` answers as a run does.
"""
