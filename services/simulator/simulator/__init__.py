"""An SMPP operator for development, tests, benches and trial accounts, all in memory."""
