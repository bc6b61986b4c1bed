#!/usr/bin/env bash
# Python and the project's packages, in the releases that it is tested with; shared storage where there is some. Quick
# when nothing changed.
set -euo pipefail
source ~/fmerl/cluster/environment.sh

command -v uv > /dev/null || curl --fail --silent --show-error --location https://astral.sh/uv/install.sh | sh
[ -x ~/env/bin/python ] || uv venv --python 3.12 ~/env
wanted=$(cat ~/fmerl/pyproject.toml ~/fmerl/constraints.txt | sha256sum)
if [ "$(cat ~/env/.installed 2> /dev/null)" != "$wanted" ]; then
    uv pip install --python ~/env/bin/python --constraint ~/fmerl/constraints.txt --editable "$HOME/fmerl[offline]" boto3
    echo "$wanted" > ~/env/.installed
fi

if [ -n "$FMERL_SHARED" ] && ! mountpoint --quiet ~/fmerl/runs; then
    command -v mount.nfs4 > /dev/null || { sudo apt-get update -q; sudo apt-get install -yq nfs-common; }
    mkdir -p ~/fmerl/runs
    sudo mount -t nfs4 -o nfsvers=4.1,hard,timeo=600,retrans=2 "$FMERL_SHARED" ~/fmerl/runs
    sudo chown "$USER" ~/fmerl/runs
fi
