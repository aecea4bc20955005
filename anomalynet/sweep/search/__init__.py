"""Hyperparameter search: the parent process gets trials from Optuna by ask and tell, workers train
their runs. Start reading in `loop.py`."""
