"""How the default voice was made, one command per stage; README.md lists them."""
