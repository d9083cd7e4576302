"""Measurements: speed and memory beside peers and physical limits, and truth on worlds that know it."""
