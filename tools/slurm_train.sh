#!/usr/bin/env bash
# Train as a Slurm job: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [ARGUMENTS...]
# In a batch job, with --resume among the arguments, a run that was asked to leave gets another turn.
set -euo pipefail

# SRUN_ARGS holds several words on purpose.
# shellcheck disable=SC2086
status=0
srun \
    --partition="$1" \
    --job-name="$2" \
    --gres="gpu:${GPUS_PER_NODE:-4}" \
    --ntasks="${GPUS:-4}" \
    --ntasks-per-node="${GPUS_PER_NODE:-4}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u tools/train.py "${@:3}" --launcher slurm || status=$?

# The exit code of PreemptionHook: saved, try again.
if [[ $status == 75 && -n ${SLURM_JOB_ID:-} ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
