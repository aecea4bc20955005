"""Exports a finished run as an ONNX file. The only part of `detection/` that imports torch,
scikit-learn and polars."""
