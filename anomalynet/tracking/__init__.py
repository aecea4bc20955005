"""Runs in Weights & Biases, written by a process of its own: whatever happens to W&B or the network
costs training nothing."""
