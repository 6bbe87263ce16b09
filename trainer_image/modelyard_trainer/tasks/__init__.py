"""What is trained, one task a package. Nothing in here knows of Kubernetes."""
