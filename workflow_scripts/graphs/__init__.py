"""ONNX graphs of the contract, from the PyTorch models."""
