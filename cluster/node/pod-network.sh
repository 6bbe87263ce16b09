#!/bin/bash
# The pod network of one node, in place of kindnetd, which is to be had only as an image: a CNI configuration for the
# node's own pods, a route to every other node's, and masquerading of what leaves the cluster.
set -o errexit -o nounset -o pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

cluster_cidr=$1 # such as 10.244.0.0/16
node=$(hostname)
server=$(sed -n 's/^ *server: //p' /etc/kubernetes/kubelet.conf)
token=/run/pod-network/token

nodes() { # a line for each node: name, address, pod CIDR
  curl --silent --show-error --fail --max-time 10 --cacert /etc/kubernetes/pki/ca.crt \
    --header "Authorization: Bearer $(cat "${token}")" "${server}/api/v1/nodes" \
    | jq --raw-output '.items[] | select(.spec.podCIDR)
        | [.metadata.name, (.status.addresses[] | select(.type == "InternalIP") | .address), .spec.podCIDR] | join(" ")'
}

configure_own() { # pod CIDR
  nft --file - << RULES
table ip modelyard
delete table ip modelyard
table ip modelyard {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr $1 ip daddr != ${cluster_cidr} masquerade
  }
}
RULES
  # Renamed into place: containerd must never read half a file.
  cat > /etc/cni/net.d/.modelyard << CONFIGURATION
{
  "cniVersion": "0.3.1",
  "name": "modelyard",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "mtu": $(cat /sys/class/net/eth0/mtu),
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": "$1"}]]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
CONFIGURATION
  mv /etc/cni/net.d/.modelyard /etc/cni/net.d/10-modelyard.conflist
}

mkdir -p /etc/cni/net.d
configured=""
while true; do
  while read -r name address cidr; do
    if [ "${name}" != "${node}" ]; then
      ip route replace "${cidr}" via "${address}"
    elif [ "${configured}" != "${cidr}" ]; then
      configure_own "${cidr}"
      configured=${cidr}
      echo "pods of ${node}: ${cidr}"
    fi
  done < <(nodes)
  if [ -n "${configured}" ]; then sleep 10; else sleep 0.5; fi
done
