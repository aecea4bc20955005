"""Positions of nodes, rooms and gateways (§3.1.3: coverage, density, dispersion)."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.records import Cell, Float64, stream
from anomalynet.simulation.scenario import DeploymentConfig, Scenario

SENSING_RADIUS = 15.0  # metres that a node is assumed to sense, for `coverage`
MARGIN = 1.0  # smallest distance in metres of nodes from the edge of the area
RASTER = 2.0  # largest distance in metres of the points at which coverage is measured


def cells(scenario: Scenario) -> int:
    """Number of radio cells of a deployment: as few as `cell_nodes` allows."""
    return -(-scenario.deployment.nodes // scenario.deployment.cell_nodes)


def place_nodes(scenario: Scenario, cell: int) -> Cell:
    """Choose the positions of one cell's nodes. Sizes of cells differ by at most one node.

    Args:
        cell: 0 … `cells(scenario)` - 1.

    Source: §3.1.3
    """
    deployment, count = scenario.deployment, cells(scenario)
    first, after = (deployment.nodes * number // count for number in (cell, cell + 1))
    numbers = np.arange(first, after, dtype=np.int64)
    rng = stream(scenario.seed, "cell", cell, "placement")
    area = np.array([deployment.width, deployment.height])
    rooms = _lattice(deployment, deployment.rooms)
    across = np.ceil(np.sqrt(deployment.rooms))
    rooms = rooms + rng.uniform(-0.25, 0.25, rooms.shape) * area / across
    margin = np.minimum(MARGIN, area / 2)
    rooms = np.clip(rooms, margin, area - margin)
    shape = (len(numbers), 2)
    if deployment.placement == "clustered":
        room_of = rng.permutation(np.arange(len(numbers)) % deployment.rooms)
        positions = rooms[room_of] + rng.normal(0.0, deployment.cluster_radius, shape)
    else:
        regular = deployment.placement == "grid"
        positions = _lattice(deployment, len(numbers)) if regular else rng.random(shape) * area
        room_of = np.argmin(distances(positions, rooms), axis=1)
    names = tuple(f"node-{number:04d}" for number in numbers)
    positions = np.clip(positions, margin, area - margin)
    return Cell(cell, names, numbers, positions, area / 2, room_of.astype(np.int64), rooms)


def distances(first: Float64, second: Float64) -> Float64:
    """Metres between two sets of points, float64 (n, 2) and (m, 2): float64 (n, m)."""
    between: Float64 = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
    return between


def coverage(scenario: Scenario) -> dict[str, float]:
    """Measures of how well the deployment covers its area.

    Returns: `density` in nodes per hectare; `coverage`, the share of the area within
        `SENSING_RADIUS` of a node of its cell; `nearest`, the mean distance in metres to the
        nearest node of the same cell (0 if no cell has two nodes); `dispersion`, that distance
        divided by its expectation for random positions (Clark and Evans): below 1 clustered, above
        1 regular.

    Source: §3.1.3 names the three; the measures are not in the paper
    """
    deployment, count = scenario.deployment, cells(scenario)
    hectares = count * deployment.width * deployment.height / 1e4
    across, up = (int(np.ceil(side / RASTER)) for side in (deployment.width, deployment.height))
    step = [deployment.width / across, deployment.height / up]
    raster = np.asarray((np.indices((across, up)).reshape(2, -1).T + 0.5) * step, np.float64)
    covered, nearest = [], []
    for number in range(count):
        positions = place_nodes(scenario, number).positions
        covered.append(float(np.mean(distances(raster, positions).min(axis=1) <= SENSING_RADIUS)))
        if len(positions) > 1:
            nearest += np.sort(distances(positions, positions), axis=1)[:, 1].tolist()
    mean = float(np.mean(nearest)) if nearest else 0.0
    density, share = deployment.nodes / hectares, float(np.mean(covered))
    dispersion = mean / 50.0 * density**0.5
    return {"density": density, "coverage": share, "nearest": mean, "dispersion": dispersion}


def _lattice(deployment: DeploymentConfig, points: int) -> Float64:
    """Positions on a regular lattice of nearly square fields, float64 (point, 2); the last row
    spreads the remaining points."""
    columns = max(1, round(np.sqrt(points * deployment.width / deployment.height)))
    rows = -(-points // columns)
    index = np.arange(points)
    row = index // columns
    in_row = np.minimum(columns, points - row * columns)
    x = (index % columns + 0.5) / in_row * deployment.width
    return np.stack([x, (row + 0.5) / rows * deployment.height], axis=1)
