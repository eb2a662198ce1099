"""Where addresses are: countries, cities and networks, from databases that the user names."""
