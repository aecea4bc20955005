"""Logs runs to Weights & Biases from a separate process, so that problems of W&B or of the network
never affect training."""
