#!/bin/sh
# install_headers.sh FOLDER DIRECTORY: installs the headers below a folder of the source tree as its includes name them:
# those of src/ without src/. Called by meson install.
set -eu
cd "$MESON_SOURCE_ROOT"
case $1 in src) cd src; folder=. ;; *) folder=$1 ;; esac
find "$folder" -name '*.h' ! -name 'pch.h' -not -path './experiments/*' | sort | while read -r header; do
  install -D -m 644 "$header" "$MESON_INSTALL_DESTDIR_PREFIX/$2/$header"
done
