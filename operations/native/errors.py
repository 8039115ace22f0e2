"""Why a part of the stack cannot run."""

from __future__ import annotations


class StackError(RuntimeError):
    """A part ended by itself, could not be prepared, or did not answer in time; the message names its log."""


class MissingPartError(StackError):
    """A part cannot be started on this machine; the message names what is missing and the remedy."""


class SecretsError(StackError):
    """A secret is empty or too weak to start with; the message names it, its file and the remedy."""
