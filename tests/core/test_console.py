import sys

from src.core.console import labelled


def test_each_line_of_a_parallel_job_says_whose_it_is(capsys):
    with labelled("n150-s0"):
        print("    writing: 5/10 rows", file=sys.stderr)
        print("one\ntwo")
        print("no end", end="")
    print("after")
    printed = capsys.readouterr()
    assert printed.err == "n150-s0      writing: 5/10 rows\n"
    assert printed.out == "n150-s0  one\nn150-s0  two\nn150-s0  no end\nafter\n"


def test_a_job_that_is_alone_needs_no_label(capsys):
    stream = sys.stderr
    with labelled(""):
        assert sys.stderr is stream
