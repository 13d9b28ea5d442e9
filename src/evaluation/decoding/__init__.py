"""How an answer is made of what a model writes: single texts, a vote over many, or a search over their steps.

`base` says what every decoding has, `whole` holds those over complete answers, `trees` the searches that step through
partial ones (MindStar, arXiv 2405.16265); `search` runs all trees of all questions side by side.
"""

from src.evaluation.decoding.base import Candidate, Decoded, Decoding, DecodingCompute, Resources
from src.evaluation.decoding.whole import Independent

__all__ = ["Candidate", "Decoded", "Decoding", "DecodingCompute", "Independent", "Resources"]
