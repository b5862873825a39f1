"""The sound of a reference in, prompt tokens and style out."""
