"""Verdicts: from signals and clusters to tiers, with reasons that stand up to an appeal."""
