module modelyard.dev/cluster/tools/local-path-provisioner

go 1.26.0
