"""Fits that are broken off and go on: to the same bits, and only their own."""

import importlib
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils import check_random_state
from skorch.callbacks import Callback

from skfusion import BlockUnion, FusionClassifier
from skfusion._training import Checkpoint
from skfusion.exceptions import CheckpointError, NonFiniteLossError, ParameterError


@pytest.mark.parametrize("epoch", [2, 5])
@pytest.mark.parametrize("case", ["plain", "everything", "one_cycle", "pretrained", "members"])
def test_a_fit_goes_on_to_the_same_bits(killing, data, break_off, tmp_path, case, epoch):
    undisturbed = killing.model(case, None).fit(*data)
    broken = break_off(killing.model(case, tmp_path), data, epoch)
    assert len(killing.files(tmp_path)) == 1
    killing.assert_same_fit(clone(broken).fit(*data), undisturbed)
    n_files = {"plain": 1, "members": 2}.get(case, 0)  # the others plan ahead
    assert len(killing.files(tmp_path)) == n_files


def test_a_fit_that_was_killed_goes_on_to_the_same_bits(killing, data, tmp_path):
    """Twice by SIGKILL in a process of its own, the second time after it went on."""
    undisturbed = killing.model("everything", None).fit(*data)
    for epoch in ("3", "6"):
        done = subprocess.run(
            [sys.executable, killing.__file__, "everything", tmp_path],
            env={**os.environ, "BREAKS": f"{epoch} kill", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert len(killing.files(tmp_path)) == 1
    resumed = killing.model("everything", tmp_path)
    killing.assert_same_fit(resumed.fit(*data), undisturbed)
    assert killing.files(tmp_path) == []


def test_a_fit_that_goes_on_runs_only_the_epochs_that_are_left(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path), data, 5)
    (file,) = tmp_path.iterdir()
    kept = json.loads(killing.content(file)["state"]["history"])
    seconds = clone(broken).fit(*data).history_["seconds"].tolist()
    assert len(seconds) == 7
    assert seconds[:4] == [epoch["dur"] for epoch in kept]


def test_the_bar_goes_on_too(killing, data, break_off, tmp_path, capsys):
    broken = break_off(killing.model("plain", tmp_path), data, 5)
    clone(broken).set_params(verbose=1).fit(*data)
    shown = capsys.readouterr().err
    assert " 4/7 " in shown
    assert " 7/7 " in shown


def test_early_stopping_goes_on_counting(killing, data, break_off, tmp_path):
    undisturbed = killing.model("stops", None).fit(*data)
    n_epochs = len(undisturbed.history_)
    assert 4 < n_epochs < 200
    for epoch in (n_epochs - 2, n_epochs):
        broken = break_off(killing.model("stops", tmp_path), data, epoch)
        killing.assert_same_fit(clone(broken).fit(*data), undisturbed)


def test_a_fit_without_seed_goes_on_with_the_one_that_it_drew(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("unseeded", tmp_path), data, 4)
    (file,) = tmp_path.iterdir()
    seed = killing.content(file)["seed"]
    resumed = clone(broken).fit(*data)
    again = clone(broken).set_params(checkpoint=None)
    again.random_state = _Drawn(seed)
    killing.assert_same_fit(resumed, again.fit(*data))


def test_members_of_one_fit_go_on_from_one_seed(killing, data, monkeypatch, tmp_path):
    """The first file of a fit without seed is lost; the second is of a seed that none knows."""
    model, write = killing.model("unseeded", tmp_path / "fit.pt", members=2), Checkpoint.write

    def break_off(checkpoint, state):
        write(checkpoint, state)
        if checkpoint.path.name == "fit-2.pt":
            raise ConnectionError("broken off")

    with monkeypatch.context() as patched, pytest.raises(ConnectionError, match="broken off"):
        patched.setattr(Checkpoint, "write", break_off)
        model.fit(*data)
    (tmp_path / "fit-1.pt").unlink()
    fits = []
    for place in (tmp_path / "fit.pt", None):
        check_random_state(None).seed(2)  # what a fit without seed draws from
        fits.append(clone(model).set_params(checkpoint=place).fit(*data))
    killing.assert_same_fit(*fits)


class _Drawn(np.random.RandomState):
    """Gives the seed that was drawn before."""

    def __init__(self, seed):
        super().__init__(0)
        self.drawn = seed

    def randint(self, *args, **kwargs):
        return self.drawn


def test_a_regressor_goes_on_too(killing, data, break_off, tmp_path):
    X, y = data
    undisturbed = killing.regressor(None).fit(X, y * 2.0)
    broken = break_off(killing.regressor(tmp_path), (X, y * 2.0), 3)
    killing.assert_same_fit(clone(broken).fit(X, y * 2.0), undisturbed)


def test_a_warm_start_goes_on_too(killing, data, break_off, tmp_path):
    undisturbed = killing.model("everything", None, warm_start=True).fit(*data).fit(*data)
    model = killing.model("everything", tmp_path, warm_start=True).fit(*data)
    before = model.net_.module_.state_dict()
    before = {key: value.clone() for key, value in before.items()}
    break_off(model, data, len(model.history_) + 3)
    after = model.net_.module_.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert len(killing.files(tmp_path)) == 1
    killing.assert_same_fit(model.fit(*data), undisturbed)
    assert killing.files(tmp_path) == []


def test_a_warm_start_may_be_the_first_to_have_a_checkpoint(killing, data, break_off, tmp_path):
    undisturbed = killing.model("plain", None, warm_start=True).fit(*data).fit(*data)
    model = killing.model("plain", None, warm_start=True).fit(*data)
    break_off(model.set_params(checkpoint=tmp_path), data, 10)
    assert len(killing.files(tmp_path)) == 1
    killing.assert_same_fit(model.fit(*data), undisturbed)


def test_checkpoints_change_no_bit_and_leave_nothing(killing, data, tmp_path):
    folder = tmp_path / "not there yet"
    fits = [killing.model("everything", at).fit(*data) for at in (None, folder, folder)]
    killing.assert_same_fit(fits[0], fits[1])
    killing.assert_same_fit(fits[0], fits[2])
    assert killing.files(folder) == []


def test_after_a_completed_fit_that_plans_ahead_the_next_one_starts_anew(killing, data, tmp_path):
    model = killing.model("everything", tmp_path).fit(*data)
    first = model.history_["seconds"].tolist()
    assert len(model.fit(*data).history_) == len(first)
    assert model.history_["seconds"].tolist() != first


@pytest.mark.parametrize("case", ["plain", "stops", "members"])
def test_a_longer_fit_goes_on_from_a_shorter_one(killing, data, tmp_path, case):
    shorter = killing.model(case, tmp_path, max_epochs=3).fit(*data)
    longer = killing.model(case, tmp_path, max_epochs=30).fit(*data)
    first = longer.history_.query("epoch <= 3")["seconds"]
    np.testing.assert_array_equal(first, shorter.history_["seconds"])
    killing.assert_same_fit(longer, killing.model(case, None, max_epochs=30).fit(*data))
    again = killing.model(case, tmp_path, max_epochs=2).fit(*data)
    killing.assert_same_fit(again, killing.model(case, None, max_epochs=2).fit(*data))


def test_a_fit_without_seed_is_another_one_each_time(killing, data, tmp_path):
    fits = [killing.model("plain", tmp_path, random_state=None).fit(*data) for _ in range(2)]
    outputs = [fit.predict_proba(data[0]) for fit in fits]
    assert not np.array_equal(*outputs)
    assert killing.files(tmp_path) == []


class CountsEpochs(Callback):
    """Counts the epochs of all fits."""

    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        CountsEpochs.n_epochs += 1


def test_halving_over_epochs_goes_on_where_a_candidate_stopped(killing, data, tmp_path):
    importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    from sklearn.model_selection import HalvingGridSearchCV

    found = {}
    for folder in (None, tmp_path):
        CountsEpochs.n_epochs = 0
        model = killing.model("plain", folder, callbacks=[CountsEpochs()])
        search = HalvingGridSearchCV(
            model,
            {"lr": [0.0001, 0.001, 0.01, 0.1]},
            resource="max_epochs",
            min_resources=3,
            max_resources=12,
            factor=2,
            cv=StratifiedKFold(2),
            refit=False,
            random_state=0,
        ).fit(*data)
        found[folder] = CountsEpochs.n_epochs, search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found[None][1], found[tmp_path][1])
    # 4 candidates to 3 epochs, 2 to 6, 1 to 12, in two folds; going on, none is run twice.
    assert found[None][0] == 2 * (4 * 3 + 2 * 6 + 1 * 12)
    assert found[tmp_path][0] == 2 * (4 * 3 + 2 * 3 + 1 * 6)


def test_partial_fit_writes_none(killing, data, tmp_path):
    killing.model("plain", tmp_path).partial_fit(*data)
    assert killing.files(tmp_path) == []


def test_callbacks_keep_what_they_name(killing, data, break_off, tmp_path):
    class Counts(Callback):
        kept = ("n_",)

        def on_train_begin(self, net, **kwargs):
            self.n_ = self.from_here_ = 0

        def on_epoch_end(self, net, **kwargs):
            self.n_ += 1
            self.from_here_ += 1

    callbacks = [killing.Breaks(), Counts()]
    broken = break_off(killing.model("plain", tmp_path, callbacks=callbacks), data, 5)
    counts = dict(clone(broken).fit(*data).net_.callbacks_)["Counts"]
    assert (counts.n_, counts.from_here_) == (7, 3)


# Whose checkpoint it is


def test_other_fits_in_one_folder_are_left_alone(killing, data, break_off, tmp_path):
    X, y = data
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (kept,) = tmp_path.iterdir()
    content = kept.read_bytes()
    for params in ({"lr": 0.01}, {"right__widths": (3,)}, {"random_state": 4}, {"loss": "focal"}):
        other = clone(broken).set_params(**params)
        alone = clone(other).set_params(checkpoint=None)
        killing.assert_same_fit(other.fit(X, y), alone.fit(X, y))
    killing.assert_same_fit(
        clone(broken).fit(X, 1 - y), clone(broken).set_params(checkpoint=None).fit(X, 1 - y)
    )
    assert kept.read_bytes() == content


def test_how_a_union_works_makes_no_other_fit(killing, data, break_off, tmp_path):
    table = (pd.DataFrame(data[0]["left"]).add_prefix("left "), data[1])
    plain = killing.model("plain", tmp_path, encoders=None, union=BlockUnion(n_jobs=1))
    broken = break_off(plain, table, 3)
    (kept,) = killing.files(tmp_path)
    params = {
        "union__n_jobs": 2,
        "union__verbose": True,
        "union__memory": str(tmp_path.parent / "memory"),
    }
    clone(broken).set_params(**params).fit(*table)
    assert killing.files(tmp_path) == [kept]


def test_a_grid_search_shares_one_folder(killing, data, tmp_path):
    grid = {"lr": [0.01, 0.1], "fusion": ["concat", "gated"]}
    results = []
    for folder, n_jobs in ((None, 1), (tmp_path, 2)):
        model = killing.model("plain", folder, callbacks=None, max_epochs=3)
        search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(*data)
        results.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*results)
    assert len(killing.files(tmp_path)) == 4 * 2 + 1  # fits of the search, and the last on all rows


CHANGES = [
    ({"lr": 0.5}, "differs in lr: 0.05 then, 0.5 now"),
    ({"right__widths": 9}, r"differs in right__widths: 4 then, 9 now"),
    ({"fusion": "concat"}, "differs in fusion: 'gated' then, 'concat' now"),
    ({"random_state": 4}, "differs in random_state"),
    ({"schedule": None}, "differs in schedule: 'cosine' then, None now"),
    ({"max_epochs": 9, "lr": 1.0}, "lr: 0.05 then, 1.0 now; max_epochs: 7 then, 9 now"),
    ({"net_params": {"optimizer__amsgrad": True}}, "differs in net_params: None then"),
]


@pytest.mark.parametrize(("params", "match"), CHANGES)
def test_a_file_of_another_configuration(killing, data, break_off, tmp_path, params, match):
    broken = break_off(killing.model("everything", tmp_path / "run.pt"), data, 3)
    with pytest.raises(CheckpointError, match=rf"run.pt' is of another fit.*{match}.*delete it"):
        clone(broken).set_params(**params).fit(*data)
    assert killing.files(tmp_path) == ["run.pt"]


def test_a_file_of_other_data(killing, data, break_off, tmp_path):
    X, y = data
    broken = break_off(killing.model("plain", tmp_path / "run.pt"), data, 3)
    with pytest.raises(CheckpointError, match=r"differs in y: 60 rows \w+ then, 60 rows \w+ now"):
        clone(broken).fit(X, 1 - y)
    with pytest.raises(CheckpointError, match="block 'left': 60 rows .*y: 60 rows .*50 rows"):
        clone(broken).fit(X[:50], y[:50])
    with pytest.raises(CheckpointError, match="differs in weights of rows: "):
        clone(broken).fit(X, y, sample_weight=np.arange(60) + 1.0)
    resumed = clone(broken).fit(X, y)
    killing.assert_same_fit(resumed, killing.model("plain", None).fit(X, y))


def test_settings_that_move_no_bit_may_differ(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    clone(broken).set_params(verbose=1, device=torch.device("cpu")).fit(*data)
    assert len(killing.files(tmp_path)) == 1


def test_another_version_of_torch(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path / "run.pt"), data, 3)
    kept = killing.content(tmp_path / "run.pt")
    kept["fingerprint"]["versions"] = "torch 0.1"
    killing.write(tmp_path / "run.pt", kept)
    with pytest.raises(CheckpointError, match="differs in versions: torch 0.1 then, torch 2"):
        clone(broken).fit(*data)


def test_losses_that_are_not_finite_leave_no_file(killing, tmp_path):
    model = FusionClassifier(optimizer="sgd", lr=1e30, max_epochs=50, checkpoint=tmp_path)
    with pytest.raises(NonFiniteLossError, match="became"):
        model.fit(np.eye(8), np.arange(8) % 2)
    assert killing.files(tmp_path) == []


@pytest.mark.parametrize("checkpoint", [1, True, b"bytes"])
def test_paths_that_are_none(data, checkpoint):
    with pytest.raises(ParameterError, match="checkpoint must be None or a path"):
        FusionClassifier(checkpoint=checkpoint).fit(*data)
