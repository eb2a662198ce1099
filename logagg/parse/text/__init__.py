"""Text out of bytes: escapes, URLs, UTF-8."""
