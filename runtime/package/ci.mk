# Everything at once.  The targets test-unit, test-lua and test-live are in
# test.mk; stages.sh runs them in every build they must pass in.

.PHONY: test
test: setup ## every test, in every build; the last line is the sum
	@MAKE="$(MAKE)" bash runtime/package/stages.sh tests
