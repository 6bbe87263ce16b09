"""Snapshots of a training: when they are taken, where they are kept, and which one is gone on from."""
