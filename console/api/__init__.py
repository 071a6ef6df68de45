"""The HTTP API: the same reads and the same deeds as the screen."""
