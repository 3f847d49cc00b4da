"""Evaluation: `evaluate` runs the classifier on a split, `metrics` computes metrics from its predictions."""
