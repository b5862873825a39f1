"""What graphs and engines do on a GPU, beside PyTorch there."""
