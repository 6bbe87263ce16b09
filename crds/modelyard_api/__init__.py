"""The API of Modelyard: what a person writes, what they see, and what operator and trainer tell each other.

The pydantic models here are the one source of truth: the CRDs in `crds/`, the reference page and the validation on
both sides are made from them. This package imports neither the operator nor the trainer.
"""

GROUP = "modelyard.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
