#!/bin/bash
# SPDX-License-Identifier: MIT
#
# setup - install the Debian packages of packages.txt that are missing.
#
# Nothing missing: says so and touches nothing.  Otherwise it is apt-get as
# root or through sudo, asking nothing.  A package that brings a service
# (PostgreSQL, Redis) leaves it neither running nor enabled: lunate starts
# private servers of its own.  What is changed for that is put back at the
# end, however the end comes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=${1:-$here/packages.txt}
policy=/usr/sbin/policy-rc.d
createcluster=/etc/postgresql-common/createcluster.conf
mark='lunate-setup: for the time of an installation'
kept=			# directory with what must be put back

die()
{
	echo "setup: $*" >&2
	exit 1
}

# The first name of each line of the list of which no name is installed.  A
# name with "/" is a file: it is enough that it is there.
missing()
{
	dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null |
		awk 'function there(path)
		     { return path ~ "/" && !system("test -e " path) }
		     FNR == NR { if ($1 == "ii" || $1 == "hi") have[$2] = 1
				 next }
		     { sub(/#.*/, ""); n = split($0, name, /[ \t|]+/) }
		     n == 0 || name[1] == "" { next }
		     { for (i = 1; i <= n; i++)
			   if (name[i] in have || there(name[i])) next
		       print name[1] }' - "$list"
}

# Everything that would be started at boot, one "kind path" a line.
enabled()
{
	find /etc/systemd/system -path '*.wants/*' -type l \
		-printf 'unit %f\n' 2>/dev/null
	find /etc/rc[2-5].d -name 'S*' -printf 'script %f\n' 2>/dev/null |
		sed 's/ S[0-9]*/ /'
}

# Keeps a file of the system as it is now, to be put back by restore().  What
# a setup that was killed left behind is not the system's.
keep()
{
	if [ -e "$1" ] && grep -q "$mark" "$1"; then
		sed -i "/$mark/d" "$1"
	fi
	if [ -e "$1" ] && [ "$(cat "$1")" != '#!/bin/sh' ]; then
		cp -a "$1" "$kept/$2"
	else
		touch "$kept/$2.absent"
	fi
}

put_back()
{
	if [ -e "$kept/$2" ]; then
		cp -a "$kept/$2" "$1"
	elif [ -e "$kept/$2.absent" ]; then
		rm -f "$1"
	fi
}

restore()
{
	[ -n "$kept" ] || return 0
	put_back $policy policy-rc.d
	put_back $createcluster createcluster.conf
	rm -rf "$kept"
	kept=
}

apt()
{
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=600 \
		-o Dpkg::Options::=--force-confold \
		-o Dpkg::Use-Pty=0 "$@" </dev/null
}

install()
{
	apt install --no-install-recommends "$@" >"$kept/log" 2>&1 || {
		tail -n 25 "$kept/log" >&2
		die "apt-get could not install: $*"
	}
}

# PostgreSQL's packages make and start a cluster unless this file says no; it
# comes with postgresql-common, so that one goes first.
install_postgresql_common()
{
	install postgresql-common
	keep $createcluster createcluster.conf
	echo "create_main_cluster = false # $mark" >>$createcluster
}

# Services that were not enabled before the packages came are disabled.
disable_new()
{
	comm -13 "$kept/enabled" <(enabled | sort -u) |
	while read -r kind name; do
		if [ "$kind" = unit ]; then
			deb-systemd-helper disable "$name" || true
		else
			update-rc.d "$name" disable || true
		fi
	done >/dev/null 2>&1
}

as_root()
{
	kept=$(mktemp -d /tmp/lunate-setup.XXXXXX)
	trap restore EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	keep $policy policy-rc.d
	printf '#!/bin/sh\nexit 101 # %s\n' "$mark" >$policy
	chmod 755 $policy
	enabled | sort -u >"$kept/enabled"
	apt update >"$kept/log" 2>&1 || {
		tail -n 5 "$kept/log" >&2
		die "apt-get update failed: is the network there?"
	}
	case " $* " in
	*" postgresql-15 "*) install_postgresql_common ;;
	esac
	install "$@"
	disable_new
	echo "setup: done"
}

main()
{
	local names

	command -v dpkg-query >/dev/null || die "needs Debian or a relative;" \
		"elsewhere install what $list names by hand"
	names=$(missing)
	if [ -z "$names" ]; then
		echo "setup: nothing is missing"
		return
	fi
	# shellcheck disable=SC2086
	set -- $names
	echo "setup: installing $*"
	if [ "$(id -u)" = 0 ]; then
		as_root "$@"
		return
	fi
	command -v sudo >/dev/null || die "not root and no sudo; as root run:" \
		"apt-get install --no-install-recommends $*"
	exec sudo bash "$here/setup.sh" "$list"
}

main
