"""Our Vision Transformer as a model of timm and of transformers, for what they have no words for themselves.

Import `corolla.bridges.timm` or `corolla.bridges.transformers` where that library is installed, and it loads every
folder that `corolla weights convert` writes for it.
"""
