"""What a tail would make of logs, and what is wrong with a lake: `logagg check`."""
