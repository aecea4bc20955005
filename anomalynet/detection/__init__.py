"""From a finished run to real-time detection: export to ONNX, and a detector that runs without
torch."""
