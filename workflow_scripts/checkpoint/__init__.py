<<<<<<< HEAD
"""Checkpoint files: what they are and what is in them, without running code from them."""
=======
"""From the bytes of a checkpoint to its weights, configuration and facts; nothing in it is run."""
>>>>>>> checkpoint
