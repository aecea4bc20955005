"""IoT-AnomalyNet: experiments, ablations and honest evaluation for anomaly detection in IoT sensor networks."""

__version__ = "0.1.0"
