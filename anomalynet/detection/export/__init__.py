"""A finished run as an ONNX file. Alone in `detection/` in importing torch, scikit-learn and
polars."""
