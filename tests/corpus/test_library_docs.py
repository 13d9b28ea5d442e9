import platform
import subprocess
import sys

import pytest

from src.core.errors import UserError
from src.core.records import Passage
from src.corpus.base import BadRow
from src.corpus.docstrings import is_mathematical, prose
from src.corpus.library_docs import LibraryDocs


@pytest.fixture(scope="module")
def mpmath():
    return list(LibraryDocs(("mpmath",)).read())


def test_texts_are_real_mathematics_with_their_origin(mpmath):
    assert len(mpmath) > 100 and all(isinstance(row, Passage) for row in mpmath)
    zeta = next(row for row in mpmath if row.meta["object"].endswith("functions.zeta.zetazero") or "zeta" in row.text)
    assert zeta.source == "mpmath" and zeta.meta["object"].startswith("mpmath.")
    assert not any(">>>" in row.text for row in mpmath)
    assert all(len(row.text) >= 150 for row in mpmath)


def test_reading_twice_gives_the_same_rows(mpmath):
    assert mpmath == list(LibraryDocs(("mpmath",)).read())


def test_nothing_is_imported():
    code = (
        "import sys; from src.corpus.library_docs import LibraryDocs; r = LibraryDocs(('mpmath',)); r.identity();"
        "next(iter(r.read())); sys.exit('mpmath' in sys.modules or 'sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_library_is_named():
    with pytest.raises(UserError, match="'no_such_library'"):
        LibraryDocs(("no_such_library",)).identity()
    with pytest.raises(UserError, match="pip install no_such_library"):
        list(LibraryDocs(("no_such_library",)).read())


def test_a_file_that_is_no_python_is_a_bad_row(tmp_path, monkeypatch):
    package = tmp_path / "oddlib"
    package.mkdir()
    text = "The sum of the integers equals n(n+1)/2 for every integer n."
    (package / "__init__.py").write_text(f'"""{text}"""\nclass Sum:\n    """{text} Twice."""\n')
    (package / "broken.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    rows = list(LibraryDocs(("oddlib",), min_chars=20).read())
    assert [row.meta["object"] for row in rows if isinstance(row, Passage)] == ["oddlib", "oddlib.Sum"]
    (bad,) = [row for row in rows if isinstance(row, BadRow)]
    assert bad.place.endswith("broken.py") and bad.reason == "not Python: SyntaxError"


def test_identity_is_the_versions():
    assert LibraryDocs(("sympy", "mpmath")).identity().keys() == {"sympy", "mpmath"}


DOCSTRING = r"""Compute the :math:`n`-th cyclotomic polynomial.

Explanation
===========

It is the product of $x - \zeta$ over primitive roots, see :func:`~.sympy.polys.roots` and [Lang]_.

.. math:: \Phi_n(x) = \prod (x - \zeta)

Examples
========

>>> from sympy import cyclotomic_poly
>>> x = symbols('x')
>>> cyclotomic_poly(4, x)
x**2 + 1

See Also
========

sympy.polys.roots

References
==========

.. [Lang] Algebra
"""


def test_prose_keeps_the_mathematics_and_drops_the_machinery():
    assert prose(DOCSTRING) == (
        "Compute the $n$-th cyclotomic polynomial.\n\nExplanation:\n\n"
        "It is the product of $x - \\zeta$ over primitive roots, see roots.\n\n"
        "\\Phi_n(x) = \\prod (x - \\zeta)\n\nExamples:\n\ncyclotomic_poly(4, x)\nx**2 + 1"
    )


def test_software_is_told_from_mathematics():
    assert is_mathematical(prose(DOCSTRING))
    assert not is_mathematical(
        "Open the given file handle and write all buffered output there, then return the handle."
    )


def test_texts_about_anything_from_the_standard_library():
    reader = LibraryDocs(("email", "http"), mathematical=False)
    assert reader.identity() == dict.fromkeys(("email", "http"), platform.python_version())
    rows = [row for row in reader.read() if isinstance(row, Passage)]
    assert len(rows) > 100 and sum(is_mathematical(row.text) for row in rows) < len(rows) / 5
