#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deb - packs what install.sh installs into one Debian package.
#
# The environment is what deb.mk sets: that of install.sh with DESTDIR below
# the build folder, and DEB, MAINTAINER and RELEASED.  The same sources and
# compiler give the same bytes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$DESTDIR
work=${DESTDIR%/*}

die()
{
	echo "deb: $*" >&2
	exit 1
}

# What Debian has in another place, or in another form.
debianise()
{
	local share=$root/usr/share doc=$root/usr/share/doc/lunate

	mkdir -p "$share/zsh/vendor-completions"
	mv "$share/zsh/site-functions/_lunate" "$share/zsh/vendor-completions/"
	rmdir "$share/zsh/site-functions"
	gzip -9n "$share/man/man1/lunate.1"
	rm "$doc/LICENSE"
	copyright >"$doc/copyright"
	changelog | gzip -9n >"$doc/changelog.gz"
	chmod 644 "$doc/copyright" "$doc/changelog.gz"
}

copyright()
{
	local manual=https://www.debian.org/doc/packaging-manuals

	cat <<-END
	Format: $manual/copyright-format/1.0/
	Upstream-Name: lunate

	Files: *
	Copyright: $(sed -n 's/^Copyright (c) //p' LICENSE)
	License: Expat
	$(sed '1,/^Copyright/d; 1,/^$/{/^$/d}; s/^$/./; s/^/ /' LICENSE)
	END
}

changelog()
{
	cat <<-END
	lunate ($VERSION) unstable; urgency=medium

	  * Version $VERSION.

	 -- $MAINTAINER  $(LC_ALL=C date -ud "$RELEASED" -R)
	END
}

strip_all()
{
	strip --remove-section=.comment --remove-section=.note \
		"$root/usr/bin/lunate"
	strip --strip-unneeded --remove-section=.comment \
		--remove-section=.note "$root$LIBDIR/liblunate.so.$VERSION" \
		"$root$LIBDIR/lua/5.1/lunate.so"
	strip --strip-debug --enable-deterministic-archives \
		"$root$LIBDIR/liblunate.a"
}

# The packages of the libraries that the three binaries are linked with.
libraries()
{
	mkdir -p "$work/debian"
	printf 'Source: lunate\n\nPackage: lunate\nArchitecture: any\n' \
		>"$work/debian/control"
	(cd "$work" && dpkg-shlibdeps --warnings=0 -O \
		root/usr/bin/lunate "root$LIBDIR/liblunate.so.$VERSION" \
		"root$LIBDIR/lua/5.1/lunate.so") |
		sed -n 's/^shlibs:Depends=//p'
}

control()
{
	local needed

	needed=$(libraries)
	[ -n "$needed" ] || die "dpkg-shlibdeps found no library"
	cat <<-END
	Package: lunate
	Version: $VERSION
	Architecture: $(dpkg --print-architecture)
	Maintainer: $MAINTAINER
	Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f 1)
	Depends: $needed, lua-argparse, lua-cjson
	Recommends: postgresql-15, less
	Suggests: luajit, redis-server
	Section: database
	Priority: optional
	Description: Lua-scriptable data runtime for PostgreSQL
	 lunate runs Lua scripts against PostgreSQL: a pool that shares few
	 connections among many tasks, batches, transactions, streams and
	 COPY.  This package holds the command, the module for LuaJIT, and
	 the library with its header for C programs.
	END
}

# liblunate.so.0 is found by the loader, and by packages that link it.
metadata()
{
	mkdir -p "$root/DEBIAN"
	control >"$root/DEBIAN/control"
	echo 'activate-noawait ldconfig' >"$root/DEBIAN/triggers"
	echo "liblunate 0 lunate (>= $VERSION)" >"$root/DEBIAN/shlibs"
	(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z |
		xargs -0 md5sum) >"$root/DEBIAN/md5sums"
	chmod 644 "$root"/DEBIAN/*
}

main()
{
	command -v dpkg-shlibdeps >/dev/null || die "dpkg-dev is missing;" \
		"install it with: make setup"
	umask 022
	rm -rf "$work"
	bash "$here/install.sh" install
	debianise
	strip_all
	metadata
	export SOURCE_DATE_EPOCH
	SOURCE_DATE_EPOCH=$(date -ud "$RELEASED" +%s)
	find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group --build "$root" "$DEB" >/dev/null
	rm -rf "$work"
	echo "$DEB"
}

main
