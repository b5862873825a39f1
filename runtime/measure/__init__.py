"""How fast, how large and how steady voices are here."""
