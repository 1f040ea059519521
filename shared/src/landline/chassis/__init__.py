"""How any service of ours runs: settings, logs, HTTP, Postgres, Redis, streams, health, metrics, auth."""
