"""Trials: the emulated Hub for a fresh agent that is given the plugin, one task line, and nothing else.

    hub      one address for everything the agent and its jobs reach: jobs that run, models, data, papers, code
    make     a small model behind a real name, and talks for it (runs in the templates' environment)
    docs     documentation pages out of the docstrings of the libraries that are installed

`python -m trials FOLDER` (in tests/, with tests/ and scripts/ on PYTHONPATH) serves until it is ended. It writes
FOLDER/env.sh, which points the plugin's commands here, and FOLDER/project, an empty project. What an agent does there
is judged by `pipeline.py status`: the trial is won when the task ended with `conforms: true`.
"""
