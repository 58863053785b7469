# Measurements.  What only they need is installed and built by them alone:
# the packages of packages-bench.txt, and the clients under build/bench/.

BENCH ?= query
BENCH_RUN = LUNATE_BUILD=$(B) luajit tests/bench/main.lua bench=$(BENCH) \
	clients="$(CLIENTS)" workloads="$(WORKLOADS)" rounds="$(ROUNDS)" \
	seconds="$(SECONDS)"

BENCH_NODE := build/bench/node/node_modules/.package-lock.json

$(BENCH_NODE): tests/bench/node/package.json tests/bench/node/package-lock.json
	@mkdir -p build/bench/node
	cp $^ build/bench/node/
	npm ci --prefix build/bench/node --ignore-scripts --no-audit --no-fund \
		--loglevel=error
	@touch $@

.PHONY: bench-setup
bench-setup: setup
	@bash runtime/package/setup.sh runtime/package/packages-bench.txt

.PHONY: bench
bench: bench-setup ## measure beside others: BENCH=query, CLIENTS= WORKLOADS= ROUNDS= SECONDS=
	@$(MAKE) --no-print-directory all $(SUPPORT) $(BENCH_NODE)
	@$(BENCH_RUN)

.PHONY: bench-quick
bench-quick: bench-setup ## a minute's worth of it
	@$(MAKE) --no-print-directory all $(SUPPORT) $(BENCH_NODE)
	@$(BENCH_RUN) quick=1
