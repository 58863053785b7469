# Measurements.  What only they need is installed and built by them alone:
# the packages of packages-bench.txt, and what is below build/bench/.

BENCH ?= query
BENCH_NODE := build/bench/node/.made
BENCH_RUN = LUNATE_BUILD=$(B) PATH="$(CURDIR)/build/bench/node/bin:$$PATH" \
	luajit tests/bench/main.lua bench=$(BENCH) clients="$(CLIENTS)" \
	workloads="$(WORKLOADS)" rounds="$(ROUNDS)" seconds="$(SECONDS)"

$(BENCH_NODE): $(wildcard tests/bench/node/*)
	@bash tests/bench/node/make.sh build/bench/node && touch $@ || \
		echo 'bench: goes on without the clients in JavaScript'

$(B)/bench/%: tests/bench/query/%.c tests/bench/kit/client.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(OPT) $(WARN) -D_GNU_SOURCE -iquote tests/bench/kit \
		-iquote runtime $(PKG_CFLAGS) $< -o $@ -Wl,--as-needed \
		$(B)/liblunate.a $(LIBS) $(LUA_LIBS)

BENCH_C := $(patsubst tests/bench/query/%.c,$(B)/bench/%, \
	$(wildcard tests/bench/query/*.c))

$(BENCH_C): $(B)/liblunate.a

# What measures a part of the engine sees into it.
$(B)/bench/%: tests/bench/isolation/%.c tests/bench/kit/client.h \
		$(B)/libinternal.a
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(OPT) $(WARN) -D_GNU_SOURCE -iquote tests/bench/kit \
		$(foreach f,$(FLOORS),-iquote runtime/$(f)) $(PKG_CFLAGS) \
		$< -o $@ -Wl,--as-needed $(B)/libinternal.a $(LIBS) $(LUA_LIBS)

BENCH_INSIDE := $(patsubst tests/bench/isolation/%.c,$(B)/bench/%, \
	$(wildcard tests/bench/isolation/*.c))

.PHONY: bench-setup
bench-setup: setup
	@bash runtime/package/setup.sh runtime/package/packages-bench.txt

.PHONY: bench-clients
bench-clients: all $(SUPPORT) $(BENCH_NODE) $(BENCH_C) $(BENCH_INSIDE)

.PHONY: bench
bench: bench-setup ## measure beside others; BENCH=query CLIENTS= WORKLOADS= ROUNDS= SECONDS=
	@$(MAKE) --no-print-directory bench-clients
	@$(BENCH_RUN)

.PHONY: bench-quick
bench-quick: bench-setup ## a minute's worth of it
	@$(MAKE) --no-print-directory bench-clients
	@$(BENCH_RUN) quick=1
