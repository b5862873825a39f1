"""What users carry: graphs, tables and facts of a voice in one folder."""
