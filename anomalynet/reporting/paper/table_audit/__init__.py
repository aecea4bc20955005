"""Audits published result tables of binary classifiers: which rows no confusion matrix can give,
and which values missing cells can have. `cone` is the exact geometry, `table` uses it, and
`sentences` writes the results."""
