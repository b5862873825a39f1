"""How the default voice was made, one command per stage; README.md lists them."""

import runtime  # noqa: F401 - silences native libraries before a script imports them
