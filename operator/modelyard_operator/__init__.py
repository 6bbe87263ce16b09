"""The control plane of Modelyard: one Job an attempt for every TrainingRun, and a status that tells how it goes.

Layers, each of which knows only those before it: `domain` decides, `kube` reads and writes, `reconcile` brings the two
together, `intake` hears the trainers, `handlers` listen to the cluster.
"""
