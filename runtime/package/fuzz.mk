# `make fuzz T=tenant MINUTES=5`: libFuzzer over one target of tests/fuzz, with
# ASan and UBSan.  Its corpus grows in build/fuzz/corpus/T; what ended it is
# kept beside it.

T_FUZZ = $(if $(T),$(T),tenant)
MINUTES ?= 5
FUZZ := build/fuzz
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_FLAGS = -std=gnu11 -fPIC $(WARN) -Wno-missing-prototypes \
	-Wno-unused-function $(FUZZ_CFLAGS) -D_GNU_SOURCE $(PKG_CFLAGS) \
	-iquote runtime/sql -iquote runtime/base -iquote tests/unit -MMD -MP
FUZZ_SRC := $(wildcard runtime/base/*.c runtime/sql/*.c)
FUZZ_OBJ := $(FUZZ_SRC:runtime/%.c=$(FUZZ)/obj/%.o)
FUZZ_LIBS = -lpg_query -lprotobuf-c $(LIBS)

$(FUZZ)/obj/%.o: runtime/%.c
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
		-DLUNATE_VERSION='"$(VERSION)"' -c $< -o $@

$(FUZZ)/tenant: tests/fuzz/tenant.c $(FUZZ_OBJ)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer $(filter %.c %.o,$^) -o $@ $(FUZZ_LIBS)

$(FUZZ)/%_seeds: tests/fuzz/%_seeds.c $(FUZZ_OBJ)
	clang $(FUZZ_FLAGS) $(filter %.c %.o,$^) -o $@ $(FUZZ_LIBS)

-include $(FUZZ_OBJ:.o=.d) $(wildcard $(FUZZ)/*.d)

.PHONY: fuzz
fuzz: $(FUZZ)/$(T_FUZZ) $(FUZZ)/$(T_FUZZ)_seeds ## libFuzzer; T=tenant MINUTES=5
	@mkdir -p $(FUZZ)/corpus/$(T_FUZZ) $(FUZZ)/seeds/$(T_FUZZ)
	@$(FUZZ)/$(T_FUZZ)_seeds $(FUZZ)/seeds/$(T_FUZZ)
	$(FUZZ)/$(T_FUZZ) -max_total_time=$$(($(MINUTES) * 60)) -max_len=4000 \
		-timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
		-dict=tests/fuzz/$(T_FUZZ).dict \
		-artifact_prefix=$(FUZZ)/$(T_FUZZ)- \
		$(FUZZ)/corpus/$(T_FUZZ) $(FUZZ)/seeds/$(T_FUZZ)
