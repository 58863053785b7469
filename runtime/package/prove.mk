# The long runs: `make prove [T=cancel]` runs what has a long form, with it, and
# prints its figures: specs of tests/live, and C tests by a name of their own.

PROVE := reload hostile cancel spike faults context values rows soak two-worlds \
	adversarial adversarial_context regress access

# T=name is unit/test_$(PROVE_name).
PROVE_UNIT := mutants hooks generations
PROVE_mutants := check_mutants
PROVE_hooks := hook_end
PROVE_generations := policies_change

PROVE_SPECS = $(filter-out $(PROVE_UNIT),$(if $(T),$(T),$(PROVE)))
PROVE_PROGRAMS = $(foreach t,$(filter $(PROVE_UNIT),\
	$(if $(T),$(T),$(PROVE_UNIT))),$(B)/unit/test_$(PROVE_$(t)))

.PHONY: prove
prove: all $(SUPPORT) $(PROVE_PROGRAMS) ## long runs with figures; T=x only x
	@set -e; for program in $(PROVE_PROGRAMS); do \
		LUNATE_PROVE=1 $(SAN_ENV_$(SAN)) LUNATE_BUILD=$(B) $$program; \
	done
	@set -e; for spec in $(PROVE_SPECS); do \
		LUNATE_PROVE=1 $(SAN_HOST_$(SAN)) LUNATE_BUILD=$(B) \
		luajit tests/support/busted.lua "$$(command -v busted)" --ignore-lua \
			tests/live/$${spec}_spec.lua; \
	done
