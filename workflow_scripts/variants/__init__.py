"""Graphs at other precisions."""
