# What is refused however well it works.  Order: cheap and clear first.

LINT_C = $(shell find $(wildcard runtime tests examples) -name "*.[ch]")
LINT_LUA = $(shell find $(wildcard runtime lua policies examples tests) \
	-name "*.lua")
LINT_OTHER = $(shell find $(wildcard runtime tests) -name "*.sh") .ci/run

.PHONY: lint
lint: ## refuse what breaks the house's style or floors
	@luajit runtime/package/lint/main.lua $(LINT_C) $(LINT_LUA) $(LINT_OTHER)
	@luacheck --quiet --no-color --codes $(LINT_LUA)
	@clang-format --dry-run -Werror $(LINT_C)
	@for f in $(LINT_OTHER); do bash -n $$f || exit 1; done
	@echo 'lint: ok'
