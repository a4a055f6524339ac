#!/usr/bin/env bash
# Train with several processes on this machine, or on one of NNODES: tools/dist_train.sh CONFIG PROCESSES [ARGUMENTS...]
set -euo pipefail

torchrun \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$(dirname "$0")/train.py" "${@:1:1}" --launcher pytorch "${@:3}"
