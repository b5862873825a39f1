"""From a graph to an engine: what the importer takes, profiles, building."""
