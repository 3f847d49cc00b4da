"""From words to images: paths, folders, patterns, tables of paths, tar shards, and addresses of any of them.

`items` resolves a word to images; each other file knows one kind of input. Whatever is read here is untrusted.
"""
