#!/bin/bash
# SPDX-License-Identifier: MIT
#
# stages - run what must pass, one stage after the other, and add it all up.
#
# Usage: stages.sh lint|tests...  A stage that fails does not stop the next.
# The targets that run tests leave files BUILD/counts/NAME of one line,
# "passed failed skipped"; a stage that fails without naming a failed test
# counts as one.  The last line is "N passed, N failed, N skipped" and the exit
# status is 1 when something failed.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
make=${MAKE:-make}
build=${STAGES_BUILD:-build}	# where counts are found; tests give another
limit=1500		# seconds; a stage that takes longer hangs
passed=0 failed=0 skipped=0
broken=()		# the stages that failed
running=		# process of the stage

stop()
{
	[ -z "$running" ] || kill "$running" 2>/dev/null
	exit 130
}

forget_counts()
{
	find "$build" -type d -name counts -prune -exec rm -rf {} + 2>/dev/null
}

# Prints the sum of the files that a stage has left.
add_counts()
{
	find "$build" -path '*/counts/*' -type f -exec cat {} + 2>/dev/null |
		awk '{ p += $1; f += $2; s += $3 }
		     END { print p + 0, f + 0, s + 0 }'
}

# stage TITLE COMMAND...
stage()
{
	local title=$1 begun=$SECONDS rc p f s

	shift
	printf '\n==== %s\n' "$title"
	forget_counts
	timeout -k 10 $limit "$@" </dev/null &
	running=$!
	wait "$running"
	rc=$?
	running=
	read -r p f s < <(add_counts)
	if [ $rc -ne 0 ]; then
		broken+=("$title")
		[ "$f" -ne 0 ] || f=1
	fi
	[ $rc -ne 124 ] || echo "stopped: took more than $limit s"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf -- '---- %s: %s, %d s\n' "$title" \
		"$([ $rc -eq 0 ] && echo ok || echo FAILED)" \
		$((SECONDS - begun))
}

skip()
{
	printf '\n==== %s\n---- skipped: %s\n' "$1" "$2"
	skipped=$((skipped + 1))
}

# LuaJIT's other flavour cannot be installed beside the first, so it is laid
# out in build/ and put before it on the search paths.
luajit2_stage()
{
	local title="OpenResty's LuaJIT (luajit2)" at=$PWD/build/luajit2 lib

	if ! bash runtime/package/luajit2.sh "$at"; then
		skip "$title" "its packages cannot be had here"
		return
	fi
	lib=$(dirname "$(find "$at" -name 'libluajit-5.1.so.2' | head -n 1)")
	stage "$title" env PATH="$at/bin:$PATH" LD_LIBRARY_PATH="$lib" \
		"$make" --silent --no-print-directory test-lua test-live
}

tests()
{
	local run=("$make" --silent --no-print-directory -j2)

	stage "build with gcc" "${run[@]}" CC=gcc all
	stage "unit tests" "${run[@]}" test-unit
	stage "Lua tests" "${run[@]}" test-lua
	stage "live tests" "${run[@]}" test-live
	stage "unit tests, address sanitizer" "${run[@]}" SAN=asan test-unit
	stage "live tests, address sanitizer" "${run[@]}" SAN=asan test-live
	stage "unit tests, thread sanitizer" "${run[@]}" SAN=tsan test-unit
	stage "workers, thread sanitizer" \
		"${run[@]}" SAN=tsan test-live T=workers
	stage "hosts, thread sanitizer" \
		"${run[@]}" SAN=tsan test-live T=embed
	stage "hard hosts, thread sanitizer" \
		"${run[@]}" SAN=tsan test-live T=capi
	stage "build and unit tests with clang" \
		"${run[@]}" CC=clang B=build/clang all test-unit
	luajit2_stage
}

trap stop INT TERM
for what in "$@"; do
	case $what in
	lint) stage "lint" "$make" --silent lint ;;
	tests) tests ;;
	*) echo "stages: no stage $what" >&2; exit 2 ;;
	esac
done
echo
for title in "${broken[@]}"; do
	echo "failed: $title"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
