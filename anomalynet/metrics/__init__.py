"""How scores are judged: point by point, by their order, by incident; and how a score becomes a
decision."""
