#!/bin/sh
# Begins a search, or goes on with it: optimize.sh SCENARIO.toml OUT.h5 [more options of jaxbreed optimize]
set -eu
scenario=$1 output=$2
shift 2
resume=
[ -e "${output%.*}.checkpoint" ] && resume=--resume
exec jaxbreed optimize "$scenario" -o "$output" $resume --log "${output%.*}.jsonl" --quiet "$@"
