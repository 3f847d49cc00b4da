"""One painter per kind: from a random generator to a flower's head in its own frame."""
