"""Data sets that are read sequentially and never unpacked as a whole: tar shards, Parquet and Arrow with images."""
