"""Tests of the audit: attacks, findings, reports, the leaderboard."""
