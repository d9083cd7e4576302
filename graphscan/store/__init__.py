"""The embedded store: events kept over runs, each once."""
