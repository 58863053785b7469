#!/bin/bash
# SPDX-License-Identifier: MIT
#
# luajit2 - lay out OpenResty's LuaJIT in a directory, installing nothing.
#
# Usage: luajit2.sh DIR.  Afterwards DIR/bin/luajit runs it, given the folder of
# its library in LD_LIBRARY_PATH.  Fails when the packages cannot be had.
set -euo pipefail

at=$1
names="luajit2 libluajit2-5.1-2 libluajit2-5.1-common"

[ ! -x "$at/bin/luajit" ] || exit 0
command -v apt-get >/dev/null
rm -rf "$at"
mkdir -p "$at/deb" "$at/bin"
cd "$at/deb"
# shellcheck disable=SC2086
apt-get -qq -o APT::Sandbox::User=root download $names ||
	{ apt-get -qq update && apt-get -qq download $names; } ||
	{ rm -rf "$at"; exit 1; }
for deb in *.deb; do
	dpkg -x "$deb" "$at"
done
binary=$(find "$at/usr/bin" -name 'luajit*' -type f | head -n 1)
ln -s "$binary" "$at/bin/luajit"
