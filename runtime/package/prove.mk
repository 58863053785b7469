# The long runs: `make prove [T=cancel]` runs the specs that have a long form,
# with it, and prints their figures.

PROVE := cancel spike faults context values rows soak

.PHONY: prove
prove: all $(SUPPORT) ## long runs with figures; T=x only tests/live/x_spec.lua
	@set -e; for spec in $(if $(T),$(T),$(PROVE)); do \
		LUNATE_PROVE=1 $(SAN_HOST_$(SAN)) LUNATE_BUILD=$(B) \
		luajit tests/support/busted.lua "$$(command -v busted)" --ignore-lua \
			tests/live/$${spec}_spec.lua; \
	done
