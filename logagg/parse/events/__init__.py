"""Classification of requests: kind, visitor, address and agent, without private data."""
