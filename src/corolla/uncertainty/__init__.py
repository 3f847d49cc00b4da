"""When to trust a prediction: calibrated probabilities, conformal prediction sets, out-of-distribution (OOD) scores."""
