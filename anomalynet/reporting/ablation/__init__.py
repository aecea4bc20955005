"""The report of an ablation: arms against a reference, tested over recordings: `document.py`."""
