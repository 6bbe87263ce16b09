"""`python -m modelyard_trainer [DOCUMENT]`."""

from modelyard_trainer.process import leave, main

leave(main())
