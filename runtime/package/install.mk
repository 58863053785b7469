# `make install`, `make uninstall`, and what is printed for them.
#
# PREFIX, LIBDIR  where lunate will be found; absolute, without spaces, as they
#                 are written into lunate.pc
# DESTDIR         a folder to put all of it below, for those who pack it

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=

# The day of this version, for the man page and the package's changelog.
RELEASED := 2026-11-24

# $(call ONE_PATH,name): stops unless the variable is one absolute path.
ONE_PATH = $(if $(and $(filter 1,$(words $($(1)))),$(filter /%,$($(1)))),,\
	$(error $(1) has to be an absolute path without spaces, not '$($(1))'))

ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
$(call ONE_PATH,PREFIX)
$(call ONE_PATH,LIBDIR)
endif

SHELLS := bash zsh fish
COMPLETIONS := $(SHELLS:%=$(B)/completion/%)

# Printed by the Lua files themselves: what is installed is what is parsed.
$(COMPLETIONS): $(B)/completion/%: $(LUA_SRC) runtime/package/cli.lua
	@mkdir -p $(@D)
	luajit runtime/package/cli.lua $* > $@.tmp && mv $@.tmp $@

$(B)/lunate.1: $(LUA_SRC) runtime/package/cli.lua runtime/package/man.lua \
		runtime/package/install.mk Makefile
	@mkdir -p $(@D)
	luajit runtime/package/cli.lua man $(VERSION) $(RELEASED) > $@.tmp && mv $@.tmp $@

# Whoever links the library itself needs what the library is linked with.
INSTALL_ENV = B='$(B)' VERSION='$(VERSION)' PREFIX='$(PREFIX)' \
	LIBDIR='$(LIBDIR)' DESTDIR='$(DESTDIR)' \
	LIBS='$(strip $(LIBS) $(LUA_LIBS))'

# All that install.sh takes.
.PHONY: installable
installable: all $(COMPLETIONS) $(B)/lunate.1

.PHONY: install
install: installable ## install below PREFIX (/usr/local), or DESTDIR and PREFIX
	@$(INSTALL_ENV) bash runtime/package/install.sh install

.PHONY: uninstall
uninstall: ## remove what install put there; say the same PREFIX
	@$(INSTALL_ENV) bash runtime/package/install.sh uninstall

# For the rockspec: the module with all of its Lua, and the command.
.PHONY: install-rock
install-rock: all
	@install -D -m 755 $(B)/lunate.so "$(ROCK_LIBDIR)/lunate.so"
	@install -D -m 755 $(B)/lunate "$(ROCK_BINDIR)/lunate"
