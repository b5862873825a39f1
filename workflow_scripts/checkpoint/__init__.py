"""Checkpoint files: what they are and what is in them, without running code from them."""
