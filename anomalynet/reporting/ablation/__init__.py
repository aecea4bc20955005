"""The report of an ablation: arms compared with a reference, tested over recordings. Start reading
in `document.py`."""
