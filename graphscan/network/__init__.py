"""Who acted together: layers, co-action pairs, edges."""
