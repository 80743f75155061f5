"""The whole system under one seed: three services with their real actions, steps and SQLite, and everything that can
happen to them. `run.run_seed` plays one; `checks` says what must hold, and knows nothing of the code.
"""
