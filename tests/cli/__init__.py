"""The commands as a person or a session calls them: real processes in a folder of their own."""
