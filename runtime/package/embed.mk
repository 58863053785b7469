# examples/embed: what its Node.js host needs beside the library.

EMBED_NODE := build/embed/node/node_modules/.package-lock.json

# koffi's npm package brings its binaries: nothing is compiled or fetched by
# scripts.
$(EMBED_NODE): examples/embed/node/package.json \
		examples/embed/node/package-lock.json
	@mkdir -p build/embed/node
	cp $^ build/embed/node/
	npm ci --prefix build/embed/node --ignore-scripts --no-audit --no-fund \
		--loglevel=error
	@touch $@

.PHONY: embed-node
embed-node: $(EMBED_NODE) ## fetch what examples/embed/node needs (npm)
