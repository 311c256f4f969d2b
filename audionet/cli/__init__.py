"""The command `audionet`: `main` finds the command, `parser` reads its arguments, every command has a file."""
