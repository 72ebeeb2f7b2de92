#!/usr/bin/env bash
# Runs once, when Gradescope builds the image: a Python of its own, and what minidl needs.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
base="$(dirname "$here")"

new_enough() { "$1" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
find_python() {
  for python in python3.14 python3.13 python3.12 python3.11 python3; do
    if command -v "$python" >/dev/null && new_enough "$python"; then echo "$python"; return; fi
  done
}

python="$(find_python)"
if [ -z "$python" ]; then
  apt-get update -q
  apt-get install -y -q --no-install-recommends python3 python3-venv python3-pip
  python="$(find_python)"
fi
if [ -n "$python" ]; then
  "$python" -m venv "$base/venv"
else
  # The system's Python is too old: uv brings one, where every user may read it.
  export UV_PYTHON_INSTALL_DIR="$base/python"
  python3 -m pip install --quiet uv
  python3 -m uv venv --quiet --seed --python 3.12 "$base/venv"
fi
"$base/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --requirement "$here/requirements.txt"
chmod 600 "$here/grading.key"
chmod 755 "$here/run_autograder"
# The reference, graded by the image that was just built: a fault shows now, not at the deadline.
PYTHONPATH="$here/lib${PYTHONPATH:+:$PYTHONPATH}" "$base/venv/bin/python" -m minidl.grading.gradescope "$base" --verify
