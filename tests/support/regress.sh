#!/bin/bash
# PostgreSQL's own regression tests: fetches the Debian source package that
# belongs to the server (apt's own client and keys, a sources list of its own)
# and unpacks src/test/regress to FOLDER/regress.
#
#   regress.sh FOLDER
set -e
mkdir -p "$1"
cd "$1"
[ -d regress ] && exit 0
key=/usr/share/keyrings/debian-archive-keyring.gpg
site=${LUNATE_DEBIAN:-http://deb.debian.org/debian}
echo "deb-src [signed-by=$key] $site bookworm main" > list
mkdir -p lists/partial
apt=(apt-get -qq -o "Dir::Etc::SourceList=$PWD/list"
	-o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$PWD/lists"
	-o "Dir::Cache=$PWD/cache" -o Debug::NoLocking=1
	-o Acquire::Retries=2 -o Acquire::http::Timeout=20)
mkdir -p cache/archives/partial
"${apt[@]}" update
"${apt[@]}" source --download-only postgresql-15
tar xjf postgresql-15_*.orig.tar.bz2 --strip-components=3 \
	--wildcards '*/src/test/regress/*'
rm -rf list lists cache postgresql-15_*
