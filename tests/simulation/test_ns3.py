"""The radio beside ns-3, run here: `pytest -m ns3` with the extra `ns3`; slow to import, so skipped
unless it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anomalynet.simulation.radio.bits import bit_error_rate
from anomalynet.simulation.radio.link import on_air
from anomalynet.simulation.records import RadioLog
from tests.simulation.network import LIKE_NS3, corrupt, everyone, frame, star, station

pytestmark = [
    pytest.mark.ns3,
    pytest.mark.skipif(
        importlib.util.find_spec("ns") is None,
        reason="the package ns3 is not installed: pip install -e '.[ns3]'",
    ),
]

PROGRAMS = """
#include "ns3/core-module.h"
#include "ns3/network-module.h"
#include "ns3/propagation-module.h"
#include "ns3/spectrum-module.h"
#include "ns3/lr-wpan-module.h"
namespace anomalynet_check {
using namespace ns3;
using namespace ns3::lrwpan;

int received, busy, unacknowledged;
void Received(McpsDataIndicationParams, Ptr<Packet>) { received++; }
void Confirmed(McpsDataConfirmParams answer) {
  busy += answer.m_status == MacStatus::CHANNEL_ACCESS_FAILURE;
  unacknowledged += answer.m_status == MacStatus::NO_ACK;
}

Ptr<LrWpanNetDevice> Radio(Ptr<SpectrumChannel> channel, double x, double y, int address) {
  auto node = CreateObject<Node>();
  auto device = CreateObject<LrWpanNetDevice>();
  device->SetAddress(Mac16Address(static_cast<uint16_t>(address)));
  device->SetChannel(channel);
  node->AddDevice(device);
  auto place = CreateObject<ConstantPositionMobilityModel>();
  place->SetPosition(Vector(x, y, 0));
  device->GetPhy()->SetMobility(place);
  device->GetMac()->SetMcpsDataConfirmCallback(MakeCallback(&Confirmed));
  return device;
}

void Send(Ptr<LrWpanNetDevice> device, double time, int payload, bool acknowledge) {
  McpsDataRequestParams request;
  request.m_srcAddrMode = SHORT_ADDR;
  request.m_dstAddrMode = SHORT_ADDR;
  request.m_dstPanId = 0;
  request.m_dstAddr = Mac16Address(static_cast<uint16_t>(1));
  request.m_msduHandle = 0;
  request.m_txOptions = acknowledge ? 1 : 0;
  Simulator::Schedule(Seconds(time), &LrWpanMac::McpsDataRequest, device->GetMac(), request,
                      Create<Packet>(payload));
}

std::vector<int> Run(Ptr<LrWpanNetDevice> gateway) {
  gateway->GetMac()->SetMcpsDataIndicationCallback(MakeCallback(&Received));
  received = busy = unacknowledged = 0;
  Simulator::Run();
  Simulator::Destroy();
  return {received, busy, unacknowledged};
}

int Link(double power, int payload, int frames) {
  auto channel = CreateObject<SingleModelSpectrumChannel>();
  auto loss = CreateObject<FixedRssLossModel>();
  loss->SetRss(power);
  channel->AddPropagationLossModel(loss);
  auto gateway = Radio(channel, 0, 0, 1), sender = Radio(channel, 10, 0, 2);
  for (int i = 0; i < frames; i++) Send(sender, 0.1 * i, payload, false);
  return Run(gateway)[0];
}

std::vector<int> Star(std::vector<double> x, std::vector<double> y, std::vector<double> begin,
                      double period, int frames) {
  auto channel = CreateObject<SingleModelSpectrumChannel>();
  auto loss = CreateObject<LogDistancePropagationLossModel>();
  loss->SetPathLossExponent(3);
  loss->SetReference(1, 40.05);
  channel->AddPropagationLossModel(loss);
  auto gateway = Radio(channel, 0, 0, 1);
  for (size_t node = 0; node < x.size(); node++) {
    auto sender = Radio(channel, x[node], y[node], 2 + node);
    for (int i = 0; i < frames; i++) Send(sender, begin[node] + i * period, 20, true);
  }
  return Run(gateway);
}
}
"""


@pytest.fixture(scope="module")
def ns3() -> Any:
    """ns-3's namespace, and the programs above compiled."""
    namespace = importlib.import_module("ns").ns
    cppyy = importlib.import_module("cppyy")
    cppyy.cppdef(PROGRAMS)
    return namespace, cppyy.gbl.anomalynet_check


def test_chunk_success_over_a_grid(ns3: Any) -> None:
    model = ns3[0].CreateObject[ns3[0].lrwpan.LrWpanErrorModel]()
    for snr, bits in itertools.product(np.arange(-12.0, 6.0, 0.25), (8, 88, 296, 1016)):
        ratio = float(10 ** (snr / 10))
        ours = math.exp(bits * math.log1p(-bit_error_rate(ratio)))
        theirs = model.GetChunkSuccessRate(ratio, bits)
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("payload", [20, 100])
@pytest.mark.parametrize("power", [-109.0, -108.0, -107.0])
def test_a_link(ns3: Any, power: float, payload: int) -> None:
    frames = 4000
    theirs = 1 - ns3[1].Link(power, payload, frames) / frames
    radio = replace(LIKE_NS3, acknowledge=False)
    one = station(np.arange(frames) * 0.1, power, radio=radio, psdu=frame(payload + 11))
    ours = 1 - on_air(radio, [one], everyone(1), (), 1e9, corrupt).counts["received"] / frames
    variance = (ours * (1 - ours) + theirs * (1 - theirs)) / frames
    assert abs(ours - theirs) <= 4 * math.sqrt(variance) + 1e-3


def test_a_star_under_load(ns3: Any) -> None:
    """50 nodes, one frame each half second: the same places and moments in both."""
    seconds, period = 360.0, 0.5
    for square in (False, True):
        stations, hears, places = star(50, seconds, period, radio=LIKE_NS3, size=31, square=square)
        log: RadioLog = on_air(LIKE_NS3, stations, hears, (), seconds, corrupt)
        x, y = places.real.tolist(), places.imag.tolist()
        begins = [float(one.times[0]) for one in stations]
        received, *other = ns3[1].Star(x, y, begins, period, round(seconds / period))
        print(f"ns-3 received {received}, busy and unacknowledged {other}; ours {log.counts}")
        assert log.counts["received"] == pytest.approx(received, rel=0.01)
