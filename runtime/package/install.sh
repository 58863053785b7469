#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install - puts lunate where PREFIX says, or takes it away again.
#
#   install.sh install|uninstall
#
# The environment is what install.mk sets: B, VERSION, PREFIX, LIBDIR, DESTDIR
# and LIBS.  One list says what is installed; both ways go through it, so that
# nothing is left behind.  Nothing is built here.
set -euo pipefail

die()
{
	echo "install: $*" >&2
	exit 1
}

# Below a folder, for the list: mode 644, the same paths below another.
tree()
{
	find "$1" -type f -printf "644\t$1/%P\t$2/%P\n"
}

# What is installed: "mode source path", and "link target path".
list()
{
	local share=$PREFIX/share doc=$PREFIX/share/doc/lunate
	local so=$LIBDIR/liblunate.so

	printf '%s\t%s\t%s\n' \
		755 "$B/lunate" "$PREFIX/bin/lunate" \
		644 "$B/liblunate.so" "$so.$VERSION" \
		link "liblunate.so.$VERSION" "$so.0" \
		link liblunate.so.0 "$so" \
		644 "$B/liblunate.a" "$LIBDIR/liblunate.a" \
		644 "$B/lunate.so" "$LIBDIR/lua/5.1/lunate.so" \
		644 runtime/lunate.h "$PREFIX/include/lunate.h" \
		pc - "$LIBDIR/pkgconfig/lunate.pc" \
		644 "$B/lunate.1" "$share/man/man1/lunate.1" \
		644 "$B/completion/bash" \
			"$share/bash-completion/completions/lunate" \
		644 "$B/completion/zsh" "$share/zsh/site-functions/_lunate" \
		644 "$B/completion/fish" \
			"$share/fish/vendor_completions.d/lunate.fish" \
		644 README.md "$doc/README.md" \
		644 LICENSE "$doc/LICENSE" \
		644 lua/README.md "$doc/lua/README.md"
	tree examples "$doc/examples"
	tree policies "$doc/policies"
	if [ -d lua/types ]; then
		tree lua/types "$share/lunate/luals"
	fi
}

# Libs.private instead of Requires.private: a program that links the shared
# library then needs none of the others' development packages.
pc()
{
	cat <<-END
	prefix=$PREFIX
	libdir=${LIBDIR/#"$PREFIX/"/'${prefix}/'}
	includedir=\${prefix}/include

	Name: lunate
	Description: Lua-scriptable data runtime for PostgreSQL
	Version: $VERSION
	Libs: -L\${libdir} -llunate
	Libs.private: $LIBS
	Cflags: -I\${includedir}
	END
}

put()
{
	local how=$1 from=$2 to=$DESTDIR$3

	mkdir -p "${to%/*}"
	case $how in
	link)	ln -sf "$from" "$to" ;;
	pc)	pc >"$to"
		chmod 644 "$to" ;;
	*)	install -m "$how" "$from" "$to" ;;
	esac
}

# The folders that are lunate's own go when they are empty.
remove_empty()
{
	local dir

	for dir in share/doc/lunate share/lunate; do
		if [ -d "$DESTDIR$PREFIX/$dir" ]; then
			find "$DESTDIR$PREFIX/$dir" -depth -type d -empty \
				-delete
		fi
	done
}

# The loader finds libraries by a cache, in the folders that it knows.
refresh_loader()
{
	[ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ] || return 0
	case $LIBDIR in
	/usr/*|/lib*) ldconfig || true ;;
	esac
}

main()
{
	local how from to

	umask 022
	case ${1:-} in
	install)
		list | while IFS=$'\t' read -r how from to; do
			put "$how" "$from" "$to" || die "cannot write $to"
		done
		;;
	uninstall)
		list | while IFS=$'\t' read -r how from to; do
			rm -f "$DESTDIR$to" || die "cannot remove $to"
		done
		remove_empty
		;;
	*)
		die "say install or uninstall"
		;;
	esac
	refresh_loader
}

main "$@"
