#!/bin/bash
# A training on several machines of a SLURM cluster that outlives its time limit.
#
#     sbatch examples/slurm.sh /data/shards /shared/runs/big --recipe scratch --epochs 90 --batch-size 4096
#
# The first word is the data, which every machine sees at this path; the second the run, on a disk that they share. The
# same script starts a training and goes on with it: two minutes before the time is up SLURM asks it to end, it keeps
# all it has, and the job is put into the queue again until the run is finished.
#SBATCH --job-name=corolla
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

set -u
data=$1 run=$2
shift 2

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
per_node=${SLURM_GPUS_ON_NODE:-1}
workers=$((${SLURM_CPUS_PER_TASK:-2} / per_node - 1))

# One torchrun on each machine, and one process for each GPU; the machines meet at the first one's port.
srun --kill-on-bad-exit=1 torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "$per_node" \
    --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$first:${MASTER_PORT:-29500}" \
    -m corolla train "$data" --out "$run" --workers "$((workers > 0 ? workers : 0))" --resume "$@"
status=$?

# 0: finished. Anything that left a checkpoint was stopped or lost a machine, and goes on when there is room again.
if [ "$status" -ne 0 ] && [ -f "$run/checkpoint.safetensors" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
