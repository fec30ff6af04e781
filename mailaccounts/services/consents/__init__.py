"""People and administrators consent at an identity provider."""
