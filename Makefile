# `make live`: a detector at work in this terminal. A simulated network that its model never saw
# runs in accelerated time, its gateways publish to an MQTT broker that starts with the target, and
# alarms show as they come; the lag is below zero, because the network's time runs ahead. Ctrl-C
# stops everything. Needs mosquitto and pip install -e '.[export,stream]'.
#
#   make live                     trains a quick hybrid_causal first, once
#   make live MODEL=mine.onnx     a model of your own, for the channels of `smart_city`
#   make live WORLD=8 SPEED=60    another network; a minute of it in a second
#
# The same by hand, a terminal each (mosquitto.conf is a copy of
# anomalynet/detection/mosquitto.conf with its CHANGE lines changed):
#
#   mosquitto -c mosquitto.conf
#   anomalynet detect --mqtt mqtt://127.0.0.1:18830/readings --model model.onnx --watch
#   anomalynet data replay smart_city data.world=7 \
#     --mqtt mqtt://127.0.0.1:18830/readings --speed 600 --shift

ANOMALYNET ?= anomalynet
WORLD ?= 7
SPEED ?= 600
PORT ?= 18830
LIVE ?= live
MODEL ?= $(LIVE)/model.onnx

TOPIC = mqtt://127.0.0.1:$(PORT)/readings
REPLAY = data replay smart_city data.world=$(WORLD) --mqtt $(TOPIC) --speed $(SPEED) --shift
DETECT = detect --mqtt $(TOPIC) --model $(MODEL) --hits 3/5 --alarms $(LIVE)/alarms.jsonl --watch

# As root, mosquitto would become a user that cannot write here.
BROKER = -e 's|^listener .*|listener $(PORT) 127.0.0.1|' \
  -e 's|^persistence_location .*|persistence_location $(abspath $(LIVE))/broker/|' \
  -e "\$$a user $$(id -un)" $(LOG)
# Subscriptions in its log tell when the detector listens.
LOG = -e '$$a log_dest stderr' -e '$$a log_type error' -e '$$a log_type warning' \
  -e '$$a log_type subscribe'

.PHONY: live
live: $(MODEL)
	@rm -rf $(LIVE)/broker && mkdir -p $(LIVE)/broker
	@sed $(BROKER) anomalynet/detection/mosquitto.conf > $(LIVE)/mosquitto.conf
	@mosquitto -c $(LIVE)/mosquitto.conf 2> $(LIVE)/broker.log & broker=$$!; \
	(until grep -q ' readings$$' $(LIVE)/broker.log; do sleep 0.1; done; \
	exec $(ANOMALYNET) $(REPLAY) 2> $(LIVE)/replay.log) & \
	replay=$$!; $(ANOMALYNET) $(DETECT) & detector=$$!; \
	trap 'kill $$detector 2> /dev/null; wait $$detector; kill $$replay $$broker 2> /dev/null' EXIT; \
	trap 'exit 0' INT TERM HUP; wait $$detector

$(LIVE)/model.onnx:
	@mkdir -p $(LIVE)
	@echo "training a quick hybrid_causal first: a few minutes, once"
	$(ANOMALYNET) train hybrid_causal data.label=any data.stride=8 training.epochs=10 \
	  training.batch_size=128 > $(LIVE)/trained
	$(ANOMALYNET) export "$$(tail -n 1 $(LIVE)/trained)" --out $@

# `make tour` runs experiments/tour.py and renews the notebook beside it. Needs the extra `dev`.
PYTHON ?= python

.PHONY: tour
tour:
	$(PYTHON) -m tests.docs.notebook experiments/tour.py

# `make docs` builds the site of guides, commands and Python API in site/. Needs the extra `docs`.
.PHONY: docs
docs:
	$(PYTHON) -m tests.docs.site
	$(PYTHON) -m mkdocs build --quiet --strict
