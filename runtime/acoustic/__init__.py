"""Semantic tokens in, chunks of samples out."""
