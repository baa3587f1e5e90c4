#!/usr/bin/env bash
# End the cluster that start.sh brought up, by the process ids that it wrote down, and remove its folder.
set -uo pipefail
export PATH="$PATH:/usr/sbin:/sbin"
CLUSTER=/tmp/konvolut-slurm
export SLURM_CONF=$CLUSTER/etc/slurm.conf
[ -e $CLUSTER ] || exit 0

if timeout 5 scontrol ping 2>/dev/null | grep -q "is UP"; then
    timeout 10 scancel --user="$(id -un)" 2>/dev/null
    for _ in $(seq 25); do [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break; sleep 0.2; done
fi
# Where nobody reaps children (containers) an ended process stays as a zombie.
is_alive() { [ -e "/proc/$1/stat" ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" != Z ]; }
for program in slurmd slurmctld munged; do
    for file in $CLUSTER/pid/$program.*pid; do
        pid=$(cat "$file" 2>/dev/null) || continue
        [[ "$(cat "/proc/$pid/comm" 2>/dev/null)" == "$program"* ]] || continue
        kill "$pid"
        for _ in $(seq 50); do is_alive "$pid" || break; sleep 0.1; done
        is_alive "$pid" && kill -9 "$pid"
    done
done
# Step daemons that outlived their slurmd: those with a file of this cluster open.
for process in /proc/[0-9]*; do
    [ "$(cat "$process/comm" 2>/dev/null)" = slurmstepd ] || continue
    ls -l "$process/fd" 2>/dev/null | grep -q -- " $CLUSTER/" && kill -9 "${process#/proc/}"
done
[ "$(readlink /etc/slurm/slurm.conf 2>/dev/null)" = "$SLURM_CONF" ] && rm -f /etc/slurm/slurm.conf
rm -rf $CLUSTER
