"""Fits that are killed at any moment, also while they write: what is there is whole."""

import multiprocessing
import os
import sys
import time

import numpy as np
import pytest


@pytest.fixture
def process(killing, monkeypatch):
    """Return a function that starts a process in which a fit begins, from one that is ready."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("FIT_ON_IMPORT", "plain")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # a fork of a process with threads of OpenMP hangs
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killing"])

    def start(case, folder, slow):
        ours, theirs = context.Pipe()
        child = context.Process(target=killing.fit_and_tell, args=(case, folder, slow, theirs))
        child.start()
        assert ours.recv() == "begins"
        return child, ours

    return start


def duration(process, case, folder, slow):
    """Return how long a fit takes there."""
    child, ours = process(case, folder, slow)
    began = time.perf_counter()
    assert ours.recv() == "ends"
    lasted = time.perf_counter() - began
    child.join()
    return lasted


def check_killed(killing, process, tmp_path, case, seed, n_times, slow):
    """Kill a fit some times, go on with it each time, and compare its end with another."""
    rng, data = np.random.default_rng(seed), killing.rows()
    undisturbed = killing.model(case, None).fit(*data)
    lasts = duration(process, case, tmp_path / "whole", slow)
    folder = tmp_path / "killed"
    for _ in range(n_times):
        child, _ = process(case, folder, slow)
        time.sleep(rng.uniform(0, lasts))
        child.kill()
        child.join()
        for name in killing.files(folder):
            if name.endswith(".pt"):
                killing.content(folder / name)  # which is whole
    killing.assert_same_fit(killing.model(case, folder).fit(*data), undisturbed)
    assert [name for name in killing.files(folder) if name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("case", "seed", "slow"),
    [("plain", 0, False), ("everything", 1, True), ("plain", 2, True), ("members", 3, False)],
)
def test_killed_at_random_moments(killing, process, tmp_path, case, seed, slow):
    check_killed(killing, process, tmp_path, case, seed, 2, slow)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3, 33))
@pytest.mark.parametrize("slow", [False, True])
def test_killed_at_many_random_moments(killing, process, tmp_path, seed, slow):
    case = ("plain", "everything", "members")[seed % 3]
    check_killed(killing, process, tmp_path, case, seed, 4, slow)
