"""When to believe an answer: honest probabilities, sets of classes that hold a promise, pictures of something else."""
