"""`corolla serve`: predictions of a run over HTTP, and a page that requests them.

`running` starts and stops the server, `app` has the routes, `guards` and `access_log` are its middleware, `reading`
turns a request into images, `batching` predicts them in batches, and `model` is what is served.
Any request may be hostile.
"""
