#!/bin/bash
# Puts the images of an archive into the node's own containerd, so that no node ever pulls one.
set -o errexit -o nounset -o pipefail

containerd > /tmp/containerd.log 2>&1 &
for _ in $(seq 100); do
  if ctr version > /dev/null 2>&1; then break; fi
  sleep 0.1
done
ctr --namespace=k8s.io images import --label=io.cri-containerd.pinned=pinned --all-platforms --no-unpack --digests "$1"
kill %1
wait %1 || true # its status is that of the signal
rm --recursive --force /tmp/containerd.log /run/containerd
