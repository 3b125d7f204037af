#!/usr/bin/env bash
# The whole check, on a machine that has nothing but Python 3.11 or later: makes an environment of
# its own, installs by apt what the tests run against (where it may), then format, lint, types,
# layers and tests. Arguments go to pytest.
#
#   EDGEBENCH_REQUIRE_ALL=1   a missing tool fails the tests that need it, instead of skipping them
#   EDGEBENCH_TEST_VENV=DIR   where the environment lies; .venv-test unless told
#   PYTHON=python3.12         which Python makes it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
venv=${EDGEBENCH_TEST_VENV:-.venv-test}
packages=(python3-venv mount openssh-server openssh-client adb gcc libc6-dev)
packages+=(libonnx-testdata dataset-fashion-mnist postgresql busybox-static mksh)
packages+=(mmdebstrap arch-test qemu-user-static iproute2 patchelf chromium chromium-driver)

if command -v apt-get >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if ((${#missing[@]})); then
    if ((EUID == 0)); then as_root=(env DEBIAN_FRONTEND=noninteractive)
    elif sudo -n true 2>/dev/null; then as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
    else as_root=(); fi
    if ((${#as_root[@]})); then
      "${as_root[@]}" apt-get update -qq
      "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    else
      echo "not root: tests that need ${missing[*]} are skipped" >&2
    fi
  fi
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "edgebench needs Python 3.11 or later; set PYTHON=python3.x" >&2
  exit 2
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[compress,test]'
# The oracle of some tests. What it asks for itself would be an older absl and a second TensorFlow.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
  tf-keras==2.21.0 tensorflow-model-optimization==0.8.1 dm-tree==0.1.10
# For axe-core, which it brings along; what it asks for itself is another driver of browsers.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
  axe-playwright-python==0.1.8
# For Google's adb, which it brings along; nothing of its own is used.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps adbutils==2.12.0
export PATH="$PWD/$venv/bin:$PATH"

ruff format --check .
ruff check .
mypy
lint-imports
pytest -n 2 --dist worksteal --durations 25 "$@"
