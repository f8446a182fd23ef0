#!/usr/bin/env bash
# A Slurm cluster of one node for tests: slurmctld, slurmd and munged, as root, without systemd,
# cgroups or an accounting database, in a folder of their own.
#
#   tests/slurm/cluster.sh start DIR && snakemake --profile slurm ...
#   tests/slurm/cluster.sh stop DIR
#
# Outside DIR it makes links in /etc/slurm alone, and takes them away again: the executor clears
# SLURM_CONF for its job steps, so srun must find its configuration there.
# Needs slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge (Debian's 22.05 and newer).
set -euo pipefail

etc=/etc/slurm
files="slurm.conf gres.conf cgroup.conf"
usage="usage: $0 start|stop DIR"
action=${1:?$usage}
dir=$(realpath -m "${2:?$usage}")

configure() {
    local host ctld=${TPLD_SLURM_PORT:-16817}
    host=$(hostname -s)
    mkdir -p "$dir"/{state,spool,log}
    # Plain files stand for two GPUs: Slurm 22.05 drains a node whose gpus have no file.
    touch "$dir/gpu0" "$dir/gpu1"
    cat >"$dir/slurm.conf" <<CONF
ClusterName=tpld
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld
SlurmdPort=$((ctld + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
# What squeue still tells of a finished job, in seconds: the executor asks it, not a database.
MinJobAge=300
KillWait=5
GresTypes=gpu
# The node has the memory that is said here, whatever the machine has: nothing enforces it.
SlurmdParameters=config_overrides
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    echo "NodeName=$host Name=gpu File=$dir/gpu[0-1]" >"$dir/gres.conf"
    echo "CgroupPlugin=cgroup/v1" >"$dir/cgroup.conf"
    (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
}

start() {
    if [ -e $etc/slurm.conf ]; then
        echo "error: $etc/slurm.conf exists: this machine is part of a cluster already" >&2
        return 1
    fi
    configure
    mkdir -p $etc
    for file in $files; do ln -sfn "$dir/$file" "$etc/$file"; done
    munged --force --socket="$dir/munge.socket" --key-file="$dir/munge.key" \
        --pid-file="$dir/munged.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/munge.seed"
    slurmctld -f "$dir/slurm.conf"
    slurmd -f "$dir/slurm.conf"
    for _ in $(seq 100); do
        [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && return
        sleep 0.2
    done
    echo "error: the node did not become idle within 20 s; see $dir/log" >&2
    return 1
}

stop() {
    # Jobs first: they would go on without the daemons.
    if [ "$(readlink $etc/slurm.conf)" = "$dir/slurm.conf" ]; then
        scancel --user=root || true
        for _ in $(seq 50); do [ -z "$(squeue -h 2>/dev/null)" ] && break || sleep 0.2; done
    fi
    for daemon in slurmd slurmctld munged; do
        # By the ids that these very daemons wrote; nobody else's are touched.
        [ -s "$dir/$daemon.pid" ] && kill "$(cat "$dir/$daemon.pid")" 2>/dev/null || true
    done
    for file in $files; do
        [ "$(readlink "$etc/$file")" = "$dir/$file" ] && rm "$etc/$file" || true
    done
}

case $action in
    start) start ;;
    stop) stop ;;
    *) echo "$usage" >&2; exit 2 ;;
esac
