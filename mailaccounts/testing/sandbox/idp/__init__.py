"""The sandbox's identity provider: django-oauth-toolkit behind Entra's URLs, as a process of its own."""
