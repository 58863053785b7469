# `make deb`: a Debian package of what `make install` installs.

DEB_ARCH = $(shell dpkg --print-architecture)
DEB = $(B)/lunate_$(VERSION)_$(DEB_ARCH).deb
DEB_MAINTAINER ?= the lunate authors <lunate@packages.invalid>

# A package's folders are not the caller's to choose.
deb: override PREFIX := /usr
deb: override DESTDIR := $(B)/deb/root
deb: override LIBDIR = /usr/lib/$(shell dpkg-architecture -qDEB_HOST_MULTIARCH)

.PHONY: deb
deb: installable ## make a Debian package: build/lunate_VERSION_ARCH.deb
	@$(INSTALL_ENV) MAINTAINER='$(DEB_MAINTAINER)' RELEASED='$(RELEASED)' \
		DEB='$(DEB)' bash runtime/package/deb.sh

.PHONY: try-deb
try-deb: deb ## try the package on a bare Debian in a chroot (root)
	@bash runtime/package/try-deb.sh $(DEB)
