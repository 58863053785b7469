#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make - lay out the clients in JavaScript in a folder: make.sh DIR.
#
# No script of a package is run. Prisma's generator wants the path of an
# engine that it does not use with `engineType = "client"`; any program is
# good for that, and nothing is downloaded. Where node is older than Prisma
# takes (Debian 12 has 18), DIR/bin/node is one that comes as a package of npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
to=$1
newer=22.23.3		# the node that is fetched where it is needed

npm_quiet()
{
	npm "$@" --prefix "$to" --ignore-scripts --no-audit --no-fund \
		--no-update-notifier --loglevel=error >/dev/null
}

is_new_enough()
{
	node -e 'const [a, b] = process.versions.node.split(".").map(Number);
		process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

fetch_node()
{
	local cpu

	case $(uname -m) in
	x86_64) cpu=x64 ;;
	aarch64) cpu=arm64 ;;
	*) echo "bench: no newer node for $(uname -m)" >&2; return ;;
	esac
	npm_quiet install --no-save "node-linux-$cpu@$newer"
	mkdir -p "$to/bin"
	ln -sf "../node_modules/node-linux-$cpu/bin/node" "$to/bin/node"
}

generate()
{
	cd "$to"
	PATH="$PWD/bin:$PATH" CHECKPOINT_DISABLE=1 \
		PRISMA_HIDE_UPDATE_MESSAGE=1 \
		PRISMA_SCHEMA_ENGINE_BINARY=/bin/true \
		node_modules/.bin/prisma generate --schema schema.prisma \
		>generate.log 2>&1 || { cat generate.log >&2; exit 1; }
}

echo "bench: fetching the clients in JavaScript"
rm -rf "$to"
mkdir -p "$to"
cp "$here"/package.json "$here"/package-lock.json "$here"/schema.prisma "$to"
npm_quiet ci
is_new_enough || fetch_node
generate
