#!/usr/bin/env bash
# Test as a Slurm job: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENTS...]
set -euo pipefail

# SRUN_ARGS holds several words on purpose.
# shellcheck disable=SC2086
srun \
    --partition="$1" \
    --job-name="$2" \
    --gres="gpu:${GPUS_PER_NODE:-4}" \
    --ntasks="${GPUS:-4}" \
    --ntasks-per-node="${GPUS_PER_NODE:-4}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u tools/test.py "${@:3}" --launcher slurm
