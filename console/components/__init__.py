"""What several pages show: filters, state marks, money and time, the timeline and trace pictures."""
