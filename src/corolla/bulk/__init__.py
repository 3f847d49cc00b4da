"""Answers about more images than anybody watches: one table on the disk, and no row lost or made twice.

`sources` lists what is meant, `plan` writes that list down before the first answer, `parts` are the answers chunk by
chunk, and `local` or `on_ray` makes them; `predict` is all of it. Listings, shards and images may come from anybody.
"""
