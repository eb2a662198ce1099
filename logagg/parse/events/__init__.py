"""What a request was: its kind, its visitor, its address and agent, without what is private."""
