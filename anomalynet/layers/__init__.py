"""The building blocks of the networks, shared by all models: one file per section of the paper."""
