#!/usr/bin/env bash
# Bring up a small Slurm cluster on this machine alone: one controller, two nodes (a slurmd each, on ports of their
# own), two generic GPUs per node; loopback only, no systemd, no cgroups. Ends with status 0 when all nodes are idle.
#
#   bash tests/slurm/start.sh     then: export SLURM_CONF=/tmp/konvolut-slurm/etc/slurm.conf
#   bash tests/slurm/stop.sh
#
# Wants root (a slurmd starts jobs as their users) and Debian's munge, slurmctld, slurmd, slurm-client; installs nothing.
# What has finished stands in log/jobcomp.txt, a line per job; the GPUs are copies of /dev/null, enough for Slurm to
# count them and to set CUDA_VISIBLE_DEVICES.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"
CLUSTER=/tmp/konvolut-slurm # short: the path of a socket has at most 108 characters
NODES=2 CPUS=2 MEMORY_MB=6000 GPUS=2
CONTROLLER_PORT=16917 NODE_PORT=17000
SHOWN=/etc/slurm/slurm.conf # Snakemake's plugin drops SLURM_CONF inside jobs: the file must be where Slurm looks itself
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

refuse() { echo "start.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || refuse "needs root"
for program in munged slurmctld slurmd sbatch; do command -v $program >/dev/null || refuse "$program is not installed"; done
export SLURM_CONF=$CLUSTER/etc/slurm.conf
if [ -e $SHOWN ] && [ "$(readlink $SHOWN)" != "$SLURM_CONF" ]; then refuse "$SHOWN is not ours"; fi
bash "$HERE/stop.sh"

mkdir -p $CLUSTER/{etc,munge,log,pid,dev,spool/controller} /etc/slurm
chmod 755 $CLUSTER $CLUSTER/{etc,munge}
ln -sfn "$SLURM_CONF" $SHOWN
HOST=$(hostname -s)
getent ahostsv4 "$HOST" | grep -q '^127\.' || echo "127.0.0.1 $HOST" >>/etc/hosts
for ((i = 0; i < GPUS; i++)); do mknod -m 666 $CLUSTER/dev/gpu$i c 1 3; done
printf 'AutoDetect=off\nName=gpu File=%s\n' "$CLUSTER/dev/gpu[0-$((GPUS - 1))]" >$CLUSTER/etc/gres.conf
cat >"$SLURM_CONF" <<CONF
ClusterName=konvolut
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$CONTROLLER_PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$CLUSTER/munge/socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$CLUSTER/spool/controller
SlurmdSpoolDir=$CLUSTER/spool/%n
SlurmctldPidFile=$CLUSTER/pid/slurmctld.pid
SlurmdPidFile=$CLUSTER/pid/slurmd.%n.pid
SlurmctldLogFile=$CLUSTER/log/slurmctld.log
SlurmdLogFile=$CLUSTER/log/slurmd.%n.log
MailProg=/bin/true
JobCompType=jobcomp/filetxt
JobCompLoc=$CLUSTER/log/jobcomp.txt
MpiDefault=none
# Without cgroups processes are followed by their parents, and memory is sampled every two seconds.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# Nodes may be larger than the machine.
SlurmdParameters=config_overrides
# Clocks for tests; Slurm's own are 300, 30, 300 and 2 s.
SlurmdTimeout=15
KillWait=3
MinJobAge=600
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,bf_interval=5
CONF
for ((i = 1; i <= NODES; i++)); do
    mkdir -p $CLUSTER/spool/node$i
    echo "NodeName=node$i NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((NODE_PORT + i)) CPUs=$CPUS RealMemory=$MEMORY_MB Gres=gpu:$GPUS"
done >>"$SLURM_CONF"
cat >>"$SLURM_CONF" <<CONF
PartitionName=cpu Nodes=ALL Default=YES MaxTime=120 DefaultTime=10 DefMemPerCPU=500 State=UP
PartitionName=gpu Nodes=ALL MaxTime=120 DefaultTime=10 DefMemPerCPU=500 State=UP
CONF

await() { # await SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || refuse "$what did not come up; see $CLUSTER/log"
        sleep 0.2
    done
}
all_idle() { [ "$(sinfo -h -N -p cpu -t idle -o %N | sort -u | wc -l)" = $NODES ]; }

(umask 077 && head -c 128 /dev/urandom >$CLUSTER/munge/key)
munged --key-file=$CLUSTER/munge/key --socket=$CLUSTER/munge/socket --pid-file=$CLUSTER/pid/munged.pid \
    --log-file=$CLUSTER/log/munged.log --seed-file=$CLUSTER/munge/seed
await 10 munged munge -S $CLUSTER/munge/socket -n -o /dev/null
slurmctld -f "$SLURM_CONF"
for ((i = 1; i <= NODES; i++)); do slurmd -f "$SLURM_CONF" -N node$i; done
await 30 "every node" all_idle
