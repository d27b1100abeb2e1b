"""How fast are texts written? Beside a loop by hand over the same network, and without a cache.

Run ``python -m benchmarks.decoding``: tokens a second of greedy writing, 64 rows at a time and one,
of the recurrent decoder and the transformer. The loop by hand knows one text a row and no rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from skfusion import Blocks, FusionGenerator
from skfusion.decoding import Decoding
from skfusion.encoders import RNN
from skfusion.heads import GRUDecoder, TransformerDecoder
from skfusion.targets import Texts

N_ROWS, LENGTH, N_WORDS, REPEATS = 256, 30, 1000, 5
HEADS = {"gru": GRUDecoder(), "transformer": TransformerDecoder()}


def fitted(head: GRUDecoder | TransformerDecoder) -> tuple[FusionGenerator, Blocks]:
    """Return a model whose texts are of one length: it never ends one by itself."""
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(N_ROWS, 12, 16)).astype(np.float32)
    words = np.array([f"w{i}" for i in range(N_WORDS)])
    texts = [" ".join(rng.choice(words, LENGTH)) for _ in range(N_ROWS)]
    model = FusionGenerator(
        {"steps": RNN(64)}, head=head, target=Texts("words", 2 * N_WORDS, 1), max_epochs=1
    )
    blocks = Blocks({"steps": steps})
    model.fit(blocks, texts)
    with torch.no_grad():
        model.net_.module_.head.table.bias[1] = -1e4  # the end token
    return model.set_params(decoding=Decoding(num_beams=1, max_new_tokens=LENGTH)), blocks


def by_hand(model: FusionGenerator, blocks: Blocks, cache: bool) -> torch.Tensor:
    """Return the likeliest token each time, (n_rows, LENGTH)."""
    module = model.net_.module_.eval()
    with torch.inference_mode():
        steps = torch.from_numpy(np.asarray(blocks["steps"]))
        encoded = {"steps": module.encoders[0](steps)}
        fused = module.fusion.tokens(encoded, None)
        if not cache:
            return _over_again(module, fused)
        state, ids = module.head.begin(fused), torch.zeros(len(steps), 1, dtype=torch.int64)
        written = []
        for _ in range(LENGTH):
            scores, state = module.head.step(ids, state)
            ids = scores.argmax(2)
            written.append(ids)
        return torch.cat(written, dim=1)


def _over_again(module: torch.nn.Module, fused: torch.Tensor) -> torch.Tensor:
    """Return the same, each token from a run over the whole text before it."""
    ids = torch.full((len(fused[0]), 1), 3)
    for place in range(LENGTH):
        scores = module.head(fused, ids)[:, place]
        ids = torch.cat([ids[:, :place], scores.argmax(1)[:, None], ids[:, :1]], dim=1)
    return ids[:, :LENGTH]


def tokens_a_second(write: Callable[[], object], n_rows: int) -> float:
    """Return the best of some runs."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        write()
        seconds.append(time.perf_counter() - start)
    return n_rows * LENGTH / min(seconds)


def main() -> None:
    torch.set_num_threads(1)
    print(
        "| decoder | rows at a time | ours, tokens/s | by hand | without cache | ours / by hand |"
    )
    print("|---|---|---|---|---|---|")
    for name, head in HEADS.items():
        model, blocks = fitted(head)
        for n_rows in (64, 1):
            rows = blocks[:n_rows]
            ours = tokens_a_second(lambda m=model, r=rows: m.predict(r), n_rows)
            hand = tokens_a_second(lambda m=model, r=rows: by_hand(m, r, True), n_rows)
            again = tokens_a_second(lambda m=model, r=rows: by_hand(m, r, False), n_rows)
            print(
                f"| {name} | {n_rows} | {ours:,.0f} | {hand:,.0f} | {again:,.0f} | "
                f"{hand / ours:.2f} |"
            )


if __name__ == "__main__":
    main()
