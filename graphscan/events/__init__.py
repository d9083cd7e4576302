"""What comes in: the event model, the formats, the reader and the row ledger."""
