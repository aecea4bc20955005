"""Logs runs to Weights & Biases from another process, so that its trouble affects no training."""
