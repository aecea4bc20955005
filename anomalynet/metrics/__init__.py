"""Metrics of single steps, of the ranking of scores, of incidents and of ranges; and the rules that
choose a threshold."""
