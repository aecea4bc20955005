"""Serves `/metrics` for Prometheus and `/healthz` in a thread. Devices are not labels."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from anomalynet.detection.service.status import Status
from anomalynet.errors import UsageError, install_command

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LAG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class Monitor:
    """Serves a status over HTTP. `where`: `port` or `host:port`; default host 127.0.0.1. Raises
    UsageError: prometheus-client is not installed, or the address is invalid or in use."""

    def __init__(self, status: Status, where: str) -> None:
        try:
            from prometheus_client import CollectorRegistry, Histogram, generate_latest
        except ImportError:
            what = "--metrics needs the package prometheus-client"
            raise UsageError(what, install_command("prometheus-client")) from None
        registry = CollectorRegistry()
        text = "Seconds from the arrival of a message to its scores."
        name = "anomalynet_latency_seconds"
        self._latency = Histogram(name, text, registry=registry, buckets=LATENCY)
        text = "Seconds from the newest reading of a message to its scores."
        self._lag = Histogram("anomalynet_lag_seconds", text, registry=registry, buckets=LAG)
        registry.register(self)
        self._status = status

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                if self.path.partition("?")[0] == "/metrics":
                    kind = "text/plain; version=0.0.4; charset=utf-8"
                    self._answer(200, kind, generate_latest(registry))
                elif self.path == "/healthz":
                    body = json.dumps({"healthy": status.healthy, **status.to_json()}).encode()
                    self._answer(200 if status.healthy else 503, "application/json", body)
                else:
                    self._answer(404, "text/plain", b"/metrics or /healthz\n")

            def _answer(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *values: Any) -> None:
                """Requests are not logged: there is one every few seconds."""

        host, _, port = where.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        try:
            self._server = Server((host, int(port)), Handler)
        except (ValueError, OverflowError, OSError) as error:
            what = f"invalid port {port!r}"
            if isinstance(error, OSError):
                what = error.strerror or str(error)
            raise UsageError(f"--metrics {where}: {what}", "write --metrics [HOST:]PORT") from None
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def observe(self, latency: float, lag: float) -> None:
        """Record latency and lag of one scored message, in seconds."""
        self._latency.observe(latency)
        self._lag.observe(lag)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def collect(self) -> Iterator[Metric]:
        """The status now; prometheus-client calls it at each scrape."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        status = self._status
        counters = {
            "messages": (status.messages, "Valid messages."),
            "readings": (status.readings, "Accepted readings."),
            "steps": (status.steps, "Steps, with and without a reading."),
            "scores": (status.scores, "Scored steps."),
            "alarms": (status.alarms, "Raised alarms."),
        }
        for name, (total, text) in counters.items():
            yield CounterMetricFamily(f"anomalynet_{name}", text, value=total)
        rejected = CounterMetricFamily(
            "anomalynet_rejected", "Invalid input and failed deliveries, by kind.", labels=["kind"]
        )
        for kind, count in list(status.rejected.items()):
            rejected.add_metric([kind], count)
        yield rejected
        devices = GaugeMetricFamily("anomalynet_devices", "Devices by state.", labels=["state"])
        for state, count in list(status.states.items()):
            devices.add_metric([state], count)
        yield devices
        text, connected = "1 while the source is connected.", float(status.connected)
        yield GaugeMetricFamily("anomalynet_connected", text, value=connected)
        text = "Distance of recent steps from the reference."
        drift = GaugeMetricFamily("anomalynet_drift", text, labels=["of", "measure"])
        for name, each in list(status.drift.items()):
            drift.add_metric([name, "psi"], each.psi)
        yield drift
