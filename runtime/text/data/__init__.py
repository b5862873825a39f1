"""Tables that are data: symbols, word lists, marks; one JSON file per language."""
