"""Batch inference over very many images into one table; no row is lost or computed twice.

`corolla.inputs` lists the images, `job` saves that list before the first prediction, `parts` are the predictions chunk
by chunk, and `local` or `on_ray` computes them; `run.predict` is the entry point.
"""
