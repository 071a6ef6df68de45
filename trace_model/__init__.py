"""What a quote-to-cash flow is, and what has been seen of it. No network, no screen, no clock."""
