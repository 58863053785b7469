# Tests: helpers of the harness, `test-unit [T=x]`, `test-live [T=x]`,
# `test-lua [T=x]`.  Each writes "passed failed skipped" to $(B)/counts/.

SUPPORT := $(addprefix $(B)/support/,keeper faultproxy fakepg)

# Helpers stand outside of what is tested: no sanitizer, no library of ours.
$(B)/support/%: tests/support/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(OPT) $(WARN) -D_GNU_SOURCE -iquote tests/support \
		$(filter %.c,$^) -o $@ -Wl,--as-needed -lev

$(SUPPORT): tests/support/net.h tests/support/relay.h
$(B)/support/faultproxy: tests/support/relay.c

.PHONY: support
support: $(SUPPORT)

# A sanitizer's own exit codes and reports; LuaJIT as the host of a sanitized
# module needs the sanitizer's library from the start.
SAN_ENV_asan = ASAN_OPTIONS=detect_stack_use_after_return=1
SAN_ENV_tsan = TSAN_OPTIONS=second_deadlock_stack=1
SAN_HOST_asan = LD_PRELOAD="$(shell $(CC) -print-file-name=libasan.so)" \
	ASAN_OPTIONS=detect_leaks=0
SAN_HOST_tsan = LD_PRELOAD="$(shell $(CC) -print-file-name=libtsan.so)"

UNIT_RUN = $(if $(T),$(B)/unit/test_$(T),$(UNIT))

.PHONY: test-unit
test-unit: $(UNIT_RUN) $(SUPPORT) ## C tests; T=x only test_x
	@$(SAN_ENV_$(SAN)) LUNATE_BUILD=$(B) \
		luajit tests/support/run-unit.lua $(B)/counts/unit $(UNIT_RUN)

# $(call BUSTED,name): the specs of tests/name, or only tests/name/T_spec.lua.
BUSTED = @mkdir -p $(B)/counts && rm -f $(B)/counts/$(1); \
	set -- $(if $(T),tests/$(1)/$(T)_spec.lua,$(wildcard tests/$(1)/*_spec.lua)); \
	if [ $$\# -eq 0 ]; then \
		echo "no specs in tests/$(1)"; \
		echo 0 0 0 > $(B)/counts/$(1); exit 0; \
	fi; \
	$(SAN_HOST_$(SAN)) LUNATE_BUILD=$(B) LUNATE_COUNTS=$(B)/counts/$(1) \
		luajit tests/support/busted.lua "$$(command -v busted)" --ignore-lua $(if $(F),--filter='$(F)') "$$@" && \
	if grep -qx '0 0 0' $(B)/counts/$(1); then echo "no test ran"; exit 1; fi

.PHONY: test-live
test-live: all $(SUPPORT) ## specs against real servers; T=x, F=pattern
	$(call BUSTED,live)

.PHONY: test-lua
test-lua: $(SUPPORT) ## specs that need no server of lunate; T=x, F=pattern
	$(call BUSTED,lua)
