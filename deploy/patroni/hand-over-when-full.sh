#!/bin/sh
# Makes another node the primary when the disk of this one is almost full. PostgreSQL would stay the primary and reject writes, and
# would stop only when it cannot write its log either. Run it on each database host as the system user postgres:
#
#     hand-over-when-full.sh CONFIGURATION FOLDER NAME [MIB]
#
# CONFIGURATION is that of Patroni, FOLDER that of the data, NAME that of this node, MIB what should be free, by default 100.
set -eu
configuration=$1 folder=$2 name=$3 wanted=${4:-100}

while sleep 2; do
    free=$(df --output=avail --block-size=1M "$folder" | tail -n 1 | tr -d ' ')
    # This fails on a node that is not the primary; it then tries again later, in case it becomes that.
    [ "$free" -ge "$wanted" ] || patronictl -c "$configuration" switchover --leader "$name" --force || sleep 5
done
