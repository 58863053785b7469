#!/bin/bash
# SPDX-License-Identifier: MIT
#
# try-deb - installs a package of lunate on a bare Debian 12, uses it there,
# removes it, and looks for what it left.
#
#   try-deb.sh FILE.deb
#
# The bare Debian is a chroot made by debootstrap, copied from BASE
# (${TMPDIR:-/tmp}/lunate-bare, made when it is not there) and removed at the
# end.  Needs root.  Services that come with packages are not started.
set -euo pipefail

base=${BASE:-${TMPDIR:-/tmp}/lunate-bare}
docs=/usr/share/doc/lunate
room=

die()
{
	echo "try-deb: $*" >&2
	exit 1
}

say()
{
	echo "try-deb: $*"
}

leave()
{
	local m

	[ -n "$room" ] || return 0
	for m in dev proc; do
		umount -l "$room/$m" 2>/dev/null || true
	done
	rm -rf --one-file-system "$room" "$room.before" "$room.log"
}

# apt asks the same servers as on this machine.
make_base()
{
	command -v debootstrap >/dev/null || die "needs debootstrap"
	say "making $base"
	rm -rf "$base"
	debootstrap --variant=minbase --include=ca-certificates bookworm \
		"$base" >"$base.log" 2>&1 || die "see $base.log"
	if [ -d /etc/apt/sources.list.d ]; then
		cp -a /etc/apt/sources.list.d/. "$base/etc/apt/sources.list.d/"
		rm -f "$base/etc/apt/sources.list"
	fi
	[ ! -s /etc/apt/sources.list ] ||
		cp /etc/apt/sources.list "$base/etc/apt/"
	cp -a /etc/apt/apt.conf.d/. "$base/etc/apt/apt.conf.d/"
}

make_room()
{
	room=$(mktemp -d "${TMPDIR:-/tmp}/lunate-try.XXXXXX")
	chmod 755 "$room"
	cp -a "$base/." "$room/"
	cp /etc/resolv.conf /etc/hosts "$room/etc/" 2>/dev/null || true
	mount -t proc proc "$room/proc"
	mount --rbind /dev "$room/dev"
	mount --make-rslave "$room/dev"
	printf '#!/bin/sh\nexit 101\n' >"$room/usr/sbin/policy-rc.d"
	chmod 755 "$room/usr/sbin/policy-rc.d"
	cp "$1" "$room/root/lunate.deb"
}

# A shell command inside, with nothing of this environment but the proxies.
inside()
{
	env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		${http_proxy:+http_proxy="$http_proxy"} \
		${https_proxy:+https_proxy="$https_proxy"} \
		chroot "$room" /bin/bash -ec "$1" </dev/null
}

as_user()
{
	inside "setpriv --reuid=tester --regid=tester --clear-groups \
		env HOME=/home/tester bash -ec 'cd; $1'"
}

quietly()
{
	"$@" >"$room.log" 2>&1 || {
		tail -n 25 "$room.log" >&2
		die "failed: ${*:2}"
	}
	rm -f "$room.log"
}

# Every file, without those in which dpkg and apt keep their own accounts.
files()
{
	find "$room" -xdev \( -path "$room/var/lib/dpkg" \
		-o -path "$room/var/lib/apt" -o -path "$room/var/cache" \
		-o -path "$room/var/log" -o -path "$room/tmp" \
		-o -path "$room/proc" -o -path "$room/dev" \) -prune \
		-o -printf '/%P\n' | LC_ALL=C sort
}

# Only the package and what it needs; all of it has to go again.
try_alone()
{
	say "installing it alone"
	quietly inside "apt-get install -y -q --no-install-recommends \
		/root/lunate.deb"
	inside "ldconfig -p | grep -q 'liblunate[.]so[.]0 '" ||
		die "the loader does not find liblunate.so.0"
	as_user "lunate --version"
	as_user "lunate help run >/dev/null; lunate completion bash >/dev/null"
	as_user "mkdir d; lunate run --url postgres:///none \
		$docs/examples/clinic/generate.lua d --patients 20; rm -r d"
	quietly inside "apt-get purge -y -q --auto-remove lunate"
	say "comparing"
	diff "$1" <(files) || die "the removal left or took something"
}

# With what it recommends: the example, on a development server.
try_example()
{
	say "installing it with what it recommends"
	quietly inside "apt-get install -y -q /root/lunate.deb"
	as_user "printf \"local db = assert(require [[lunate]].open()) \
		print(assert(db:one [[select 6 * 7 as n]]).n)\" >a.lua
		lunate run a.lua" | grep -qx 42 || die "a script does not run"
	as_user "mkdir work; lunate run $docs/examples/clinic/demo.lua \
		--patients 200 --work work | tail -n 1" | grep -x 'demo ok' ||
		die "the example does not work"
	as_user "lunate dev reset --yes; rm -rf a.lua work .local"
	quietly inside "apt-get purge -y -q lunate"
	inside "find / -xdev -iname '*lunate*' -not -path '/proc/*' \
		-not -path '/root/lunate.deb' -not -path '/var/cache/*' \
		-not -path '/var/log/*'" >"$1"
	[ ! -s "$1" ] || die "left behind: $(cat "$1")"
}

main()
{
	[ -f "${1:-}" ] || die "say which package: try-deb.sh FILE.deb"
	[ "$(id -u)" = 0 ] || die "needs root"
	[ -x "$base/usr/bin/apt-get" ] || make_base
	trap leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_room "$1"
	inside "useradd -m -s /bin/bash tester"
	quietly inside "apt-get update -q"
	files >"$room.before"
	try_alone "$room.before"
	try_example "$room.before"
	say "ok"
}

main "$@"
