"""How far scores that are called probabilities may be read as such."""
