"""The demo: the product on an embedded world, started and stopped as one. `make demo`, or `manage.py demo`."""
