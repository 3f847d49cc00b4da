"""How good the answers are: `evaluate` asks the classifier about a split, `metrics` turns the answers into figures."""
