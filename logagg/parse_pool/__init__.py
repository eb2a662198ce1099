"""What every tail runs on: its options, its memory, its parsers, its signals, what it shows."""
