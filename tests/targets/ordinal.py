"""Ordinal classes by cumulative link: a target and a head of one's own."""

import numpy as np
import torch
from scipy.special import expit, logit
from torch import nn
from torch.nn import functional as F

from skfusion.heads import Head
from skfusion.targets import LabelCoding, OutputSpec, Target


class Ordinal(Target):
    def learn(self, y, weight=None, options=None):
        classes = np.unique(y)
        return OrdinalCoding(classes, OutputSpec("classes", (len(classes) - 1,), len(classes)))


class OrdinalCoding(LabelCoding):  # outputs: log-odds of being above each class but the last
    def loss(self, outputs, codes, weight):
        above = (codes[:, None] > torch.arange(self.n_outputs, device=codes.device)).to(outputs)
        each = F.binary_cross_entropy_with_logits(outputs, above, reduction="none").mean(1)
        return each.mean() if weight is None else (each * weight).mean()

    def probabilities(self, outputs):
        above = np.minimum.accumulate(expit(outputs.astype(np.float64)), axis=1)
        above = np.column_stack([np.ones(len(above)), above, np.zeros(len(above))])
        return above[:, :-1] - above[:, 1:]

    def prior(self, codes, weight):
        above = codes[:, None] > np.arange(self.n_outputs)
        return logit(np.average(above, axis=0, weights=weight).clip(1e-6, 1 - 1e-6))


class CumulativeLink(Head):
    def __init__(self, spread=1.0):
        self.spread = spread

    def build(self, width, output):
        return _CumulativeLink(width, output.n_outputs, self.spread)


class _CumulativeLink(nn.Module):
    def __init__(self, width, n_thresholds, spread):
        super().__init__()
        self.score, self.first = nn.Linear(width, 1, bias=False), nn.Parameter(torch.zeros(1))
        self.steps = nn.Parameter(torch.full((n_thresholds - 1,), spread))

    def forward(self, fused):
        return self.score(fused) - torch.cat([self.first, self.first + self.steps.exp().cumsum(0)])
