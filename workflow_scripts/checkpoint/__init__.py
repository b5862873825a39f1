"""From the bytes of a checkpoint to its weights, configuration and facts; nothing in it is run."""
