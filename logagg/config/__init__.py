"""In: `logagg.toml`, environment variables, command line options.
Out: one typed, immutable `Config`, from one table of all settings.
Promise: a wrong key or value names its file, its line and the remedy; nothing is ignored."""
