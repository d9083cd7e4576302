"""graphscan."""
