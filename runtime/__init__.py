"""Speak from the artifacts that the pipeline built: numpy and ONNX Runtime, no torch."""
