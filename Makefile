# lunate - build, test and measure.  `make help` lists what can be asked for.

VERSION := 0.1.0
B ?= build
CC ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif
SHELL := /bin/bash

# ---- what is built from what ------------------------------------------------
# A floor sees itself and the floors named after it, nothing else: a reach
# upward ends in "No such file".
FLOORS := base sql io pool cache guard policy engine api
SEE_base   := base
SEE_sql    := sql base
SEE_io     := io base
SEE_pool   := pool io sql base
SEE_cache  := cache pool io base
SEE_guard  := guard io sql base
SEE_policy := policy guard cache pool io sql base
SEE_engine := engine policy guard cache pool io sql base
SEE_api    := api engine policy guard cache pool io sql base .

# luajit and luajit2 install the same pkg-config name and the same ABI.
PKG := libpq hiredis libprotobuf-c libxxhash jansson luajit libzstd openssl
PKG_CFLAGS = $(shell pkg-config --cflags $(PKG))
LIBS = $(shell pkg-config --libs libpq hiredis libxxhash jansson libzstd openssl) \
	-lev -lpg_query -lprotobuf-c -lpthread -lm
LUA_LIBS = $(shell pkg-config --libs luajit)
MAIN_LIBS = $(shell pkg-config --libs libedit)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
	-Wno-unused-parameter -Wno-strict-aliasing -Wno-missing-field-initializers
OPT ?= -O2 -g
SAN ?=
ifneq ($(SAN),)
B := $(B)/$(SAN)
endif
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_tsan := -fsanitize=thread
SANFLAGS := $(SAN_$(SAN)) $(if $(SAN),-fno-omit-frame-pointer)
CFLAGS_ALL = -std=gnu11 $(OPT) -fPIC -fvisibility=hidden $(WARN) $(SANFLAGS) \
	-D_GNU_SOURCE -DLUNATE_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(SANFLAGS) $(LDFLAGS)

SRC := $(foreach f,$(FLOORS),$(wildcard runtime/$(f)/*.c))
MAIN_SRC := $(wildcard $(addprefix runtime/api/, \
	main.c http.c terminal.c edit.c))
LIB_SRC := $(filter-out $(MAIN_SRC),$(SRC))
OBJ := $(LIB_SRC:runtime/%.c=$(B)/obj/%.o) $(B)/obj/lua_bundle.o
MAIN_OBJ := $(MAIN_SRC:runtime/%.c=$(B)/obj/%.o)
LUA_SRC := $(sort $(shell find lua/lunate -name '*.lua' 2>/dev/null))

.PHONY: all
all: $(B)/lunate $(B)/liblunate.so.0 $(B)/liblunate.a $(B)/lunate.so ## build the command, the libraries and the Lua module

define FLOOR_RULE
$(B)/obj/$(1)/%.o: runtime/$(1)/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_ALL) $(if $(filter .,$(SEE_$(1))),-iquote runtime) \
		$(foreach s,$(filter-out .,$(SEE_$(1))),-iquote runtime/$(s)) \
		-MMD -MP -c $$< -o $$@
endef
$(foreach f,$(FLOORS),$(eval $(call FLOOR_RULE,$(f))))

# Every Lua file travels inside the library, so one file is all there is to
# install and versions cannot mix.
$(B)/lua_bundle.c: $(LUA_SRC) runtime/package/bundle.lua
	@mkdir -p $(@D)
	luajit runtime/package/bundle.lua lua $(LUA_SRC) > $@.tmp && mv $@.tmp $@

$(B)/obj/lua_bundle.o: $(B)/lua_bundle.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -iquote runtime/api -c $< -o $@

# All objects, nothing hidden: for tests.
$(B)/libinternal.a: $(OBJ)
	@rm -f $@
	ar rcs $@ $(OBJ)

# One relocatable object whose only global names are lunate_*.
$(B)/liblunate.o: $(OBJ)
	ld -r -o $@.tmp $(OBJ)
	objcopy --wildcard --keep-global-symbol='lunate_*' \
		--keep-global-symbol='luaopen_lunate*' $@.tmp $@
	@rm -f $@.tmp

$(B)/liblunate.a: $(B)/liblunate.o
	@rm -f $@
	ar rcs $@ $<

# It stays loaded after dlclose(): threads of it may still run.
$(B)/liblunate.so: $(B)/liblunate.o runtime/package/liblunate.map
	$(CC) -shared $(LDFLAGS_ALL) -Wl,-soname,liblunate.so.0 -Wl,-z,nodelete \
		-Wl,--version-script,runtime/package/liblunate.map \
		-o $@ $< $(LIBS) $(LUA_LIBS)

# The name that programs linked with it ask the loader for.
$(B)/liblunate.so.0: $(B)/liblunate.so
	@ln -sf liblunate.so $@

# The Lua module takes the LuaJIT of the process that loads it: linking one
# here would put a second LuaJIT beside it.  It stays loaded when its Lua state
# is closed, for the next one: what it knows of statements is the process's.
$(B)/lunate.so: $(B)/liblunate.o runtime/package/module.map
	$(CC) -shared $(LDFLAGS_ALL) -Wl,-z,nodelete \
		-Wl,--version-script,runtime/package/module.map \
		-o $@ $< $(LIBS)

# Symbols of LuaJIT are exported so that C modules of others (cjson) load.
$(B)/lunate: $(MAIN_OBJ) $(OBJ)
	$(CC) $(LDFLAGS_ALL) -Wl,-E -Wl,--version-script,runtime/package/command.map \
		-o $@ $(MAIN_OBJ) $(OBJ) $(LIBS) $(MAIN_LIBS) $(LUA_LIBS)

# ---- unit tests ---------------------------------------------------------------
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)

$(B)/unit/%: tests/unit/%.c $(B)/libinternal.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Wno-missing-prototypes -iquote runtime \
		$(foreach f,$(FLOORS),-iquote runtime/$(f)) -MMD -MP \
		$< -o $@ $(LDFLAGS_ALL) $(B)/libinternal.a -lcmocka $(LIBS) $(LUA_LIBS)

include $(wildcard runtime/package/*.mk)

-include $(OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(UNIT:=.d)

.PHONY: clean
clean: ## remove all that was built
	rm -rf build
