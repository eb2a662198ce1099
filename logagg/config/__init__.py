"""Settings: their types, the file they are read from, the table of all of them."""
