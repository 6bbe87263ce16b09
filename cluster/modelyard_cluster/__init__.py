"""How a bare machine gets a Kubernetes cluster: standard library only, since it runs before anything is installed."""
