"""Pictures as the network gets them: squares of bytes, varied for training."""
