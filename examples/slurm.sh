#!/bin/bash
# A training on several machines of a SLURM cluster that continues after the time limit of its job.
#
#     sbatch examples/slurm.sh /data/shards /shared/runs/big --recipe scratch --epochs 90 --batch-size 4096
#
# The first argument is the data, at the same path on every machine; the second is the run, on a shared disk. The script
# starts or resumes the training: two minutes before the time limit SLURM sends SIGTERM, the training saves everything,
# and the job is requeued until the run is finished.
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

# One torchrun per machine, and one process per GPU; the rendezvous is a port of the first machine.
srun --kill-on-bad-exit=1 torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "$per_node" \
    --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$first:${MASTER_PORT:-29500}" \
    -m corolla train "$data" --out "$run" --workers "$((workers > 0 ? workers : 0))" --resume "$@"
status=$?

# 0: finished. If there is a checkpoint, the training was stopped or lost a machine, and the requeued job resumes it.
if [ "$status" -ne 0 ] && [ -f "$run/checkpoint.safetensors" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
