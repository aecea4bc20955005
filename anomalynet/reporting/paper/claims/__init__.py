"""The claims ledger: what the paper claims, and what the runs say to it."""
