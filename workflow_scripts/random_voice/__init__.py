"""Checkpoints and bases of random weights in the real formats."""
