from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from src.core.records import Passage
from src.corpus.base import BadRow, Reader, passage
from src.corpus.mixture import Mixture


@dataclass(frozen=True)
class Numbers(Reader):
    start: int
    count: int

    def read(self) -> Iterator[Passage | BadRow]:
        yield from (passage("numbers", f"number {i}") for i in range(self.start, self.start + self.count))

    def identity(self) -> dict[str, str]:
        return {"start": str(self.start)}


def texts(rows):
    return [row.text for row in rows if isinstance(row, Passage)]


def test_all_readers_are_read_one_after_the_other():
    mixture = Mixture({"a": Numbers(0, 2), "b": Numbers(7, 1)})
    assert texts(mixture.read()) == ["number 0", "number 1", "number 7"]
    assert mixture.identity() == {"a/start": "0", "b/start": "7"}


def test_a_share_keeps_about_that_share_and_accounts_for_the_rest():
    rows = list(Mixture({"a": Numbers(0, 2000)}, {"a": 0.25}).read())
    assert len(rows) == 2000
    assert 420 < len(texts(rows)) < 580
    assert {row.reason for row in rows if isinstance(row, BadRow)} == {"outside the share of a"}
    assert not any(row.broken for row in rows if isinstance(row, BadRow))


def test_what_is_kept_does_not_depend_on_the_company():
    alone = texts(Mixture({"a": Numbers(50, 100)}, {"a": 0.5}).read())
    among = texts(Mixture({"a": Numbers(0, 300)}, {"a": 0.5}).read())
    assert set(alone) < set(among)


@pytest.mark.parametrize("shares", [{"b": 0.5}, {"a": 0.0}, {"a": 1.5}])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(ValueError, match="share"):
        Mixture({"a": Numbers(0, 1)}, shares)
