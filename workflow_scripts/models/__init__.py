"""The networks in PyTorch: the reference that everything later is compared with."""
