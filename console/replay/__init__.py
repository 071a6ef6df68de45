"""The door out: replay plans, the dispatcher, and one adapter a file for each kind of sync engine."""
