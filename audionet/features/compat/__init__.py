"""Front-ends whose numbers are those of another tool."""
