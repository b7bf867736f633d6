#!/bin/sh
# Writes the locks again: exact versions and hashes for every platform, no index address. `make lock` calls it.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --no-header --annotation-style line "$@"; }
compile pyproject.toml requirements/build.in -o requirements/runtime.txt
compile pyproject.toml requirements/build.in --extra demo -c requirements/runtime.txt -o requirements/demo.txt
compile pyproject.toml requirements/dev.in --extra demo --extra aws --extra encodings -c requirements/demo.txt -o requirements/dev.txt
for extra in aws encodings; do
    compile pyproject.toml requirements/build.in --extra "$extra" -c requirements/dev.txt -o "requirements/$extra.txt"
done
compile pyproject.toml requirements/fuzz.in --extra encodings -c requirements/dev.txt -o requirements/fuzz.txt
compile pyproject.toml requirements/train.in -c requirements/dev.txt -o requirements/train.txt
