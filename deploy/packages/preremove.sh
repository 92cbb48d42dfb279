#!/bin/sh
# dpkg says "remove", rpm how many versions will be left: 0.
set -e
if [ -d /run/systemd/system ]; then
	case "$1" in
	remove | 0) systemctl --no-reload disable --now qft-helper.service || true ;;
	esac
fi
