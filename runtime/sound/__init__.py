"""Samples into the bytes of a file or a stream, one encoder per format."""
