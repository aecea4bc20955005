"""A search: Optuna proposes trials by ask and tell in the parent, workers carry out their runs;
`loop.py` is where to begin."""
