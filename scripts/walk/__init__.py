"""A walk through a running stack: real requests with curl, each answer checked. Started by scripts/demo.

A system is one file of cases (`cases`): a sentence, a request, and what its answer must be. `runner` plays them.
"""
