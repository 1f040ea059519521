"""A real CGRateS beside us: `python -m tests.bench.cgrates`."""
