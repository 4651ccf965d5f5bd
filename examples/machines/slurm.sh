#!/bin/sh
# One checkpoint by an array of eight tasks on a file system that all nodes share. Whichever task is last finishes it; a task that is
# requeued goes on where it was.
#
#   sbatch slurm.sh llama/config.json /scratch/llama --dtype bfloat16 --seed 42
#
#SBATCH --job-name=initial-weights
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --mem=1G
#SBATCH --requeue
set -eu
model=$1 folder=$2
shift 2
# --part takes its number and how many there are from SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT.
exec npx nninit generate "$model" -o "$folder" --part --finish auto --threads "${SLURM_CPUS_PER_TASK:-4}" "$@"
