# Sourced by every command on a node. FMERL_SHARED is storage that all nodes mount; FMERL_BUCKET keeps MLflow's artifacts
# and the copies of its database. An empty one means the node's own disk, which ends with the node.
export FMERL_SHARED=""  # EDIT, for example fs-0123456789abcdef0.efs.eu-central-1.amazonaws.com:/
export FMERL_BUCKET=""  # EDIT, for example s3://my-fmerl-runs
export RAY_AUTH_MODE=token
export RAY_USAGE_STATS_ENABLED=0
export MLFLOW_TRACKING_URI="http://${RAY_HEAD_IP:-$(hostname -I | cut -d' ' -f1)}:5000"
export PATH="$HOME/env/bin:$HOME/.local/bin:$PATH"
