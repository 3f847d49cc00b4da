"""The Vision Transformer: its shape (`config`), its names, and the model itself beside the paper (`vit`)."""
