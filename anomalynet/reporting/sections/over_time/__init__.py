"""Detection over time: metrics of ranges, beside a random and an always-on detector."""
