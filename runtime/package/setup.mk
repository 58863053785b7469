# What a bare Debian 12 lacks, and what can be asked of this Makefile.

# These install what is missing, or need nothing; everything else is told.
BARE_GOALS := help setup clean demo test bench bench-quick bench-setup uninstall
ifneq ($(filter-out $(BARE_GOALS),$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell command -v pkg-config && command -v luajit),)
$(error packages are missing; install them with: make setup)
endif
endif

.PHONY: setup
setup: ## install the Debian packages that are missing (root or sudo)
	@bash runtime/package/setup.sh

.PHONY: help
help: ## say what can be asked for
	@echo 'usage: make [TARGET] [SAN=asan|tsan] [CC=clang] [B=DIR]'
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { \
		printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
