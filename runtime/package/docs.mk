# The parts of README.md that are printed from tables.

.PHONY: docs
docs: all ## print the table of options into README.md
	@luajit runtime/package/docs.lua $(B) README.md
