"""Built voices timed beside PyTorch on the CPU."""
