"""The reference networks in PyTorch, and the table of families that they make up."""
