"""Detection over time: ranges instead of single steps, beside a random detector and one that is
always on."""
