"""Batch inference over very many images into one table; no row is lost or computed twice.

`sources` lists the images, `plan` saves that list before the first prediction, `parts` are the predictions chunk by
chunk, and `local` or `on_ray` computes them; `predict` is the entry point. Listings, shards and images are untrusted.
"""
