"""How far artifacts are from PyTorch, and whether that is near enough."""
