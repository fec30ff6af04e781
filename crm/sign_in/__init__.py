"""Signing in to the CRM: who may, by what means, and when they have to show again that it is them.

allauth does the work. This package decides what it leaves to its host, and what it leaves out.
"""
