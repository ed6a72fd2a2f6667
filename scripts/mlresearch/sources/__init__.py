"""What the plugin reads from outside: papers, documentation, code, the Hub. Every call is bounded.

Only `hub_files_commit` writes, and only where its caller has asked whether it may.

`hosts` says where each source is and who may have its key, `web` makes one bounded call, `pace` keeps rate limits
across processes, `cache` keeps answers with their age. A fault is `Unavailable` or `NotFound`, never an empty answer.
"""
