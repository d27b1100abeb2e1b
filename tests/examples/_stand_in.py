"""A small stand-in for the folder of the examples' data: the files they read, filled at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

GROUPS = ["Smileys & People", "Animals & Nature", "Food & Drink", "Objects"]
FACES = ["face-positive", "face-neutral", "face-negative"]
SPEAKERS = ["ann", "ben", "cleo", "dan", "eve", "finn"]
WORDS = [f"{start}{end}" for start in ("sol", "mar", "luz", "pan") for end in ("a", "o", "es")]


def write_stand_in(folder: Path) -> Path:
    """Write all folders of the data into ``folder`` and return it."""
    writers = {
        "chickenpox": write_chickenpox,
        "emoji": write_emoji,
        "fakenews_es": write_news,
        "fmi_radar": write_radar,
        "fsdd": write_voices,
        "isl_gestures": write_gestures,
        "leaf": write_leaves,
        "omniglot": write_drawings,
        "parkinson_spiral": write_spirals,
        "vader_gt": write_ratings,
    }
    for name, write in writers.items():
        part = folder / name
        part.mkdir(parents=True)
        (part / "README.md").write_text(f"Source: {name}, drawn at random.\nLicence: none.\n")
        write(part, np.random.default_rng(0))
    return folder


def write_chickenpox(folder: Path, rng: np.random.Generator) -> None:
    cases = rng.normal(size=(60, 3)).astype(np.float32)
    edges = np.array([[0, 0], [1, 1], [2, 2], [0, 1], [1, 0], [1, 2], [2, 1]])
    np.savez(folder / "chickenpox.npz", X=cases, edges=edges)


def write_emoji(folder: Path, rng: np.random.Generator) -> None:
    faces, others = FACES * 8, ["other"] * 48
    n_rows = len(faces) + len(others)
    groups = [GROUPS[0]] * len(faces) + [GROUPS[1 + i % 3] for i in range(len(others))]
    table = {"group": groups, "subgroup": faces + others}
    for language in ("en", "es"):
        table[f"name_{language}"] = make_texts(n_rows, 2, rng)
        table[f"keywords_{language}"] = ["|".join(rng.choice(WORDS, 3)) for _ in range(n_rows)]
    pd.DataFrame(table).to_csv(folder / "emoji.csv.gz", index=False)
    n_sheet_rows = -(-n_rows // 40)
    sheet = rng.integers(0, 256, (32 * n_sheet_rows, 32 * 40, 3), dtype=np.uint8)
    Image.fromarray(sheet).save(folder / "emoji_32_sheet.png")


def write_news(folder: Path, rng: np.random.Generator) -> None:
    n_rows = 48
    table = {
        "split": ["train", "dev", "test", "train"] * (n_rows // 4),
        "fake": rng.permutation(np.tile([0, 1], n_rows // 2)),
        "topic": rng.choice(["Politics", "Sport", "Sociedad"], n_rows),
        "source": rng.choice(["El Uno", "El Otro"], n_rows),
        "headline": make_texts(n_rows, 4, rng),
        "text": make_texts(n_rows, 12, rng),
    }
    pd.DataFrame(table).to_csv(folder / "fakenews_es.csv.gz", index=False)


def write_radar(folder: Path, rng: np.random.Generator) -> None:
    frames = np.zeros((2, 40, 306, 190), dtype=np.uint8)
    frames[:, :, 64:96, 64:96] = rng.integers(0, 100, (2, 40, 32, 32))
    np.savez_compressed(folder / "fmi_radar_4x.npz", frames=frames)


def write_voices(folder: Path, rng: np.random.Generator) -> None:
    names = [f"{digit}_{who}_{i}" for digit in range(10) for who in SPEAKERS for i in range(3)]
    offsets = np.concatenate([[0], rng.integers(1500, 3000, len(names)).cumsum()])
    samples = rng.integers(0, 256, offsets[-1], dtype=np.uint8)
    np.savez(folder / "raw_mulaw_600.npz", samples=samples, offsets=offsets, name=names)
    digits, speakers, _ = zip(*(name.split("_") for name in names), strict=True)
    pd.DataFrame({"digit": digits, "speaker": speakers}).to_csv(
        folder / "clips.csv.gz", index=False
    )
    logmel = rng.integers(0, 256, (len(names), 40, 64), dtype=np.uint8)
    np.savez(folder / "logmel_u8.npz", logmel=logmel)


def write_gestures(folder: Path, rng: np.random.Generator) -> None:
    letters = np.repeat(list("AELV"), 10)
    muscles = rng.random((len(letters), 50, 8)).astype(np.float16)
    motion = rng.normal(size=(len(letters), 50, 10)).astype(np.float32)
    np.savez(folder / "data.npz", emg=muscles, imu=motion)
    pd.DataFrame({"letter": letters}).to_csv(folder / "samples.csv.gz", index=False)


def write_leaves(folder: Path, rng: np.random.Generator) -> None:
    species = np.repeat([f"Acer_{name}" for name in ("rufum", "ginnala", "pictum", "mono")], 4)
    described = {name: rng.random((len(species), 64)) for name in ("margin", "shape", "texture")}
    np.savez(folder / "leaf.npz", species=species, **described)


def write_drawings(folder: Path, rng: np.random.Generator) -> None:
    characters, drawers = np.repeat([1, 2, 3, 4], 20), np.tile(np.arange(1, 21), 4)
    table = {
        "alphabet": np.where(characters < 3, "Greek", "Latin"),
        "character": [f"character{i:02d}" for i in characters],
        "id": [f"{i:04d}_{drawer:02d}" for i, drawer in zip(characters, drawers, strict=True)],
    }
    pd.DataFrame(table).to_csv(folder / "drawings.csv.gz", index=False)
    video = rng.integers(0, 256, (len(characters), 12, 28, 28), dtype=np.uint8)
    np.savez(folder / "video_12x28x28.npz", video=video)
    np.savez(folder / "image_stroke.npz", image=video[:, -1])


def write_spirals(folder: Path, rng: np.random.Generator) -> None:
    people = np.repeat(np.arange(10), 2)
    exams = {"subject": [f"P_{i:04d}" for i in people], "label": (people > 3).astype(int)}
    pd.DataFrame(exams).to_csv(folder / "exams.csv", index=False)
    images = rng.integers(0, 256, (len(people), 64, 64), dtype=np.uint8)
    courses = rng.normal(size=(len(people), 128, 6)).astype(np.float32)
    np.savez(folder / "data.npz", image=images, sequence=courses)


def write_ratings(folder: Path, rng: np.random.Generator) -> None:
    for name in ("tweets", "amazonReviewSnippets"):
        rated = {"sentiment": rng.normal(size=40), "text": make_texts(40, 5, rng)}
        pd.DataFrame(rated).to_csv(folder / f"{name}.csv.gz", index=False)


def make_texts(n_rows: int, n_words: int, rng: np.random.Generator) -> list[str]:
    return [" ".join(rng.choice(WORDS, n_words)) for _ in range(n_rows)]
