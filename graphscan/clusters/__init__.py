"""Which groups acted together in a way that chance and habit do not explain."""
