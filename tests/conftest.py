"""One torch thread: on busy cores two are several times slower, and one is bit-reproducible."""

import torch

torch.set_num_threads(1)
