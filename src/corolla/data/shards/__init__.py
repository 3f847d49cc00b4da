"""Sets that are read in order and never unpacked whole: tar shards, and Parquet and Arrow with images inside."""
