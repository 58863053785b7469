# What is refused however well it works.

LINT_C = $(shell find $(wildcard runtime tests examples) -name "*.[ch]")
LINT_LUA = $(shell find $(wildcard runtime lua policies examples tests) \
	-name "*.lua")
LINT_OTHER = $(shell find $(wildcard runtime tests) -name "*.sh") .ci/run

.PHONY: lint
lint: ## refuse what breaks the house's style or floors
	@bad=0; \
	luajit runtime/package/lint/main.lua \
		$(LINT_C) $(LINT_LUA) $(LINT_OTHER) || bad=1; \
	luacheck --quiet --no-color --codes $(LINT_LUA) || bad=1; \
	clang-format --dry-run -Werror $(LINT_C) || bad=1; \
	for f in $(LINT_OTHER); do bash -n $$f || bad=1; done; \
	[ $$bad = 0 ] && echo 'lint: ok'
