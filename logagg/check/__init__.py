"""`logagg check`: a preview of what a tail would read, and a checkup of configuration and lake."""
