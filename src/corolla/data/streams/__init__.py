"""Training images that are read in order from many files: which files, which samples are held out, and one stream."""
