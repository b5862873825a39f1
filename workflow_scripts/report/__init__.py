"""Evidence for people: a page per build, comparisons of two, tables of results."""
