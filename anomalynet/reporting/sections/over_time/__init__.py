"""Detection over time: metrics of ranges instead of single steps, compared with a random detector
and with one that is always on."""
