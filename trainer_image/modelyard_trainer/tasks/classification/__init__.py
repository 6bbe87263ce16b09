"""Classification with timm's backbones. Nothing here imports timm before a model is built: that takes seconds."""
