"""`corolla serve`: a run's answers over HTTP, and the page that asks for them.

`running` starts and stops it, `app` has the routes, `guards` and `observing` stand before them, `reading` turns a
request into images, `batching` has them answered together, and `model` is what is served. Requests are taken to be
hostile.
"""
