"""When to believe an answer: honest probabilities, sets of classes that hold a promise, images of something else."""
