"""Hostile requests by the thousand: whatever comes, an answer, no 5xx and no secret."""
