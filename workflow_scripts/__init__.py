"""From checkpoints to proved voices: what the rules of the workflow call."""

import runtime  # noqa: F401 - silences native libraries before a script imports them
