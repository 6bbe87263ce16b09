"""Re-identification of persons with torchreid's OSNet networks. Nothing here imports torch before a model is built."""
