"""The systems of the estate, one a file: each keeps its own books and answers real HTTP."""
