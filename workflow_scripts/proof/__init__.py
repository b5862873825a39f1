"""How far graphs, chain and stream are from what PyTorch answered."""
