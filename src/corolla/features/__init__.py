"""Pretrained networks as feature extractors, and linear heads on their frozen features."""
