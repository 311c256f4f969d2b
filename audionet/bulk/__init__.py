"""Many files at once, in parallel processes."""
