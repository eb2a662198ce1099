"""The configuration: types of settings, the file they are read from, the table of all settings."""
