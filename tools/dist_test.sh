#!/usr/bin/env bash
# Test with several processes on this machine, or on one of NNODES: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [ARGUMENTS...]
set -euo pipefail

torchrun \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$3" \
    "$(dirname "$0")/test.py" "${@:1:2}" --launcher pytorch "${@:4}"
