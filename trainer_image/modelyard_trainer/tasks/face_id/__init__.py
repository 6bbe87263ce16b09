"""Face identification: embeddings by timm's backbones, learned by telling identities apart."""
