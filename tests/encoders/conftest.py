import numpy as np
import pytest
import torch

from skfusion.blocks import spec_of


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def build():
    """Return a module in float64 and evaluation mode, and its parameters as numpy arrays."""

    def build(encoder, block, pooled=True):
        torch.manual_seed(0)
        module = encoder.build(spec_of("block", block), pooled=pooled).double().eval()
        state = {name: value.detach().numpy() for name, value in module.state_dict().items()}
        return module, state

    return build


@pytest.fixture
def run():
    """Return what a module makes of rows, as numpy arrays."""

    def run(module, *inputs):
        tensors = [torch.from_numpy(np.asarray(value)) for value in inputs]
        with torch.no_grad():
            output = module(*tensors)
        if isinstance(output, tuple):
            return tuple(None if part is None else part.numpy() for part in output)
        return output.numpy()

    return run


@pytest.fixture
def n_parameters():
    def n_parameters(module):
        return sum(parameter.numel() for parameter in module.parameters())

    return n_parameters
