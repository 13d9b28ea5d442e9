r"""Selection by likeness of wording: n-gram importance, no model asked.

Data selection via importance resampling (DSIR; Xie et al. 2023, arXiv 2302.03169): hash all words and pairs of words
of a text into buckets; p is the bag-of-n-grams distribution of the target, q that of the pool; a text's importance is

    log p(z) / q(z) = sum over its n-grams g of  log p[hash(g)] - log q[hash(g)].

Two differences: the sum is divided by the number of n-grams, for it grows with the length of a text whatever it says,
and the best are taken instead of being drawn in proportion, so that the choice needs no seed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from src.core.checks import at_least
from src.core.records import Example
from src.selection.base import Reference, Targeted
from src.selection.ranking import Ranking, by_target

if TYPE_CHECKING:
    import numpy as np

WORDS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class NGram(Targeted):
    """buckets: of the hash. order: the longest n-gram, in words. With several targets the best fit counts."""

    reads_model: ClassVar[bool] = False

    buckets: int = 10_000
    order: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "buckets", "order")

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        import numpy as np

        pool = self._log_share(map(self.hashed, candidates))
        weights = {
            name: self._log_share(map(self.hashed, examples)) - pool
            for name, examples in self.target_examples().items()
        }
        ids, found = [], np.empty((len(candidates), len(weights)))
        for i, candidate in enumerate(candidates):
            hashed = self.hashed(candidate)  # a second time: held, they would be several times the texts
            found[i] = [np.mean(weight[hashed]) for weight in weights.values()]
            ids.append(candidate.id)
        return Ranking(ids, by_target(list(weights), found))

    def hashed(self, example: Example) -> np.ndarray:
        """The buckets of all n-grams of prompt and response, one for each occurrence; never empty."""
        import numpy as np

        words = WORDS.findall(f"{example.prompt} {example.response}".lower())
        grams = (" ".join(words[i : i + n]) for n in range(1, self.order + 1) for i in range(len(words) - n + 1))
        found = [zlib.crc32(gram.encode("utf-8", "surrogatepass")) % self.buckets for gram in grams]
        return np.array(found or [0], dtype=np.int64)

    def _log_share(self, texts: Iterable[np.ndarray]) -> np.ndarray:
        """Log of each bucket's share of all n-grams, with one added to every count."""
        import numpy as np

        counts = np.ones(self.buckets)
        for buckets in texts:
            counts += np.bincount(buckets, minlength=self.buckets)
        return np.log(counts / counts.sum())
