"""Phones and prompt in, semantic tokens out."""
