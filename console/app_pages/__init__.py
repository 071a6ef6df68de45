"""The rooms, one script each: ask, show, offer. They import components, filters and resources, never each other."""
