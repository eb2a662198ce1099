"""Log formats, as nginx and Apache write them down, compiled to what the parsers need."""
