"""The regression gate: trains afresh and compares with a committed baseline."""
