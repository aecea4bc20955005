"""The blocks of the networks, shared by every model: one file a section of the paper."""
