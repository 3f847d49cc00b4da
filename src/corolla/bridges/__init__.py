"""Our Vision Transformer as a model class for timm and transformers, for what their own classes cannot represent.

After `import corolla.bridges.timm` or `corolla.bridges.transformers`, that library loads every
folder that `corolla weights convert` writes for it.
"""
