#!/bin/sh
# One checkpoint by GNU parallel: on this machine, or by ssh on several that share the folder. --retries begins a part again that failed,
# which goes on where it was.
#
#   PARTS=8 ./parallel.sh resnet18 out --seed 42
#   PARTS=64 ./parallel.sh llama/config.json /nfs/llama --seed 42        with PARALLEL='--sshloginfile hosts --workdir .'
set -eu
model=$1 folder=$2
shift 2
parts=${PARTS:-4} nninit=${NNINIT:-npx nninit}
last=$((parts - 1))
# shellcheck disable=SC2086 # the command may be several words
seq 0 "$last" | parallel --will-cite --halt soon,fail=1 --retries 3 \
  $nninit generate "$model" -o "$folder" --quiet --part "{}/$parts" "$@"
# shellcheck disable=SC2086
exec $nninit finish "$folder"
