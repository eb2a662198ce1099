"""The river in one process."""
