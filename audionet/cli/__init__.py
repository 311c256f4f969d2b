"""The command `audionet`: `main` finds a command, reads its arguments and calls it; every command has a file."""
