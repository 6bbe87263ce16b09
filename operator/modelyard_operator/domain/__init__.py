"""What is decided: observed state and the time in, a status and actions out. Nothing here reads, writes or waits."""
