"""From checkpoints to proved voices: what the rules of the workflow call."""
