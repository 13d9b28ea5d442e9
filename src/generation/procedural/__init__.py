"""The offline teacher: math problems and worked solutions written by small programs, each answer checked twice.

`families/` holds the problems, one file an education stage; `family.py` what a family is; `sets.py` draws training
problems and held-out benchmarks; `generator.py` is the teacher itself.
"""
