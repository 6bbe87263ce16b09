module modelyard.dev/cluster/node/pause

go 1.26.0
