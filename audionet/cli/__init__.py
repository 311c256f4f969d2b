"""The command `audionet`: `main` finds a command, `parsing` reads its arguments; every command has a file."""
