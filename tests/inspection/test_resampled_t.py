import math

import numpy as np
import pytest
from scipy import integrate, special, stats
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score

from skfusion.exceptions import ParameterError
from skfusion.inspection import corrected_resampled_t_test
from skfusion.inspection._resampled_t import holm

DIFFERENCES = [0.03, -0.01, 0.02, 0.05, 0.01, 0.02, 0.0, 0.04, 0.01, 0.03]


def t_density(t, df):
    constant = special.gamma((df + 1) / 2) / (math.sqrt(df * math.pi) * special.gamma(df / 2))
    return constant * (1 + t * t / df) ** (-(df + 1) / 2)


def test_statistic_and_p_value_against_a_computation_from_first_principles():
    k = len(DIFFERENCES)
    mean = sum(DIFFERENCES) / k
    variance = sum((d - mean) ** 2 for d in DIFFERENCES) / (k - 1)
    t = mean / math.sqrt(variance / k + variance * 30 / 90)
    tail, _ = integrate.quad(t_density, t, np.inf, args=(k - 1,))
    found = corrected_resampled_t_test(DIFFERENCES, n_train=90, n_test=30)
    assert found.mean == pytest.approx(mean)
    assert found.statistic == pytest.approx(t)
    assert found.p_value == pytest.approx(2 * tail, rel=1e-6)


def test_it_is_the_usual_t_test_with_a_larger_error():
    usual = stats.ttest_1samp(DIFFERENCES, 0)
    found = corrected_resampled_t_test(DIFFERENCES, n_train=9, n_test=1)
    k = len(DIFFERENCES)
    assert found.statistic == pytest.approx(usual.statistic / math.sqrt(1 + k / 9))
    assert found.p_value > usual.pvalue


def test_the_interval_ends_where_the_test_is_undecided():
    found = corrected_resampled_t_test(DIFFERENCES, n_train=90, n_test=30)
    for end in (found.low, found.high):
        shifted = corrected_resampled_t_test(np.array(DIFFERENCES) - end, n_train=90, n_test=30)
        assert shifted.p_value == pytest.approx(0.05)


def test_the_sign_of_the_differences_only_turns_the_sign():
    found = corrected_resampled_t_test(DIFFERENCES, 90, 30)
    turned = corrected_resampled_t_test(-np.array(DIFFERENCES), 90, 30)
    assert turned.statistic == -found.statistic
    assert turned.p_value == found.p_value


def test_repeating_the_same_folds_does_not_make_certain():
    """What the usual test does: ten times the folds, a tenth of the variance."""
    once = corrected_resampled_t_test(DIFFERENCES, n_train=2, n_test=1)
    often = corrected_resampled_t_test(DIFFERENCES * 10, n_train=2, n_test=1)
    usual = stats.ttest_1samp(DIFFERENCES * 10, 0)
    assert often.statistic < 1.5 * once.statistic
    assert usual.statistic > 4 * often.statistic


@pytest.mark.nightly
def test_two_equally_good_blocks_are_rarely_told_apart():
    alarms = np.mean([_alarms_on_equal_blocks(seed) for seed in range(80)], axis=0)
    assert alarms[0] > 0.2
    assert alarms[1] < 0.06


def _alarms_on_equal_blocks(seed):
    """Whether the usual and the corrected test tell two noisy copies of one number apart."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=120)
    y = number + rng.normal(size=120) > 0
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=seed)
    scores = [
        cross_val_score(RidgeClassifier(), number[:, None] + noise, y, cv=folds)
        for noise in rng.normal(size=(2, 120, 1))
    ]
    d = scores[0] - scores[1]
    corrected = corrected_resampled_t_test(d, n_train=96, n_test=24)
    return stats.ttest_1samp(d, 0).pvalue < 0.05, corrected.p_value < 0.05


def test_differences_that_are_all_alike():
    certain = corrected_resampled_t_test([0.1] * 5, 4, 1)
    assert (certain.statistic, certain.p_value) == (np.inf, 0.0)
    assert (certain.low, certain.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert corrected_resampled_t_test([-0.1] * 5, 4, 1).statistic == -np.inf
    assert corrected_resampled_t_test([0.0] * 5, 4, 1).p_value == 1.0


def test_one_fold_tells_nothing():
    found = corrected_resampled_t_test([0.1], 4, 1)
    assert found.mean == 0.1
    assert np.isnan([found.p_value, found.low, found.high]).all()


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match="at least one fold. Got none"):
        corrected_resampled_t_test([], 4, 1)
    with pytest.raises(ParameterError, match="n_train must be a number >= 1. Got 0"):
        corrected_resampled_t_test([0.1, 0.2], 0, 1)


def test_holm_rejects_what_its_step_down_procedure_rejects():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p_values = rng.uniform(0, 0.1, size=6)
        rejected = set()
        for step, i in enumerate(np.argsort(p_values)):
            if p_values[i] * (6 - step) >= 0.05:
                break
            rejected.add(int(i))
        assert set(np.flatnonzero(holm(p_values) < 0.05).tolist()) == rejected


def test_holm_leaves_nan_alone():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
