"""The PyTorch reference: one file per network, weights as in the checkpoints."""
