"""What users see of stored mail and do with it."""
