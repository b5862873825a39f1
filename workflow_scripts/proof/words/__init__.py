"""How well built voices are understood."""
