"""Tests of the queue side: settings, jobs in Redis, workers, recovery."""
