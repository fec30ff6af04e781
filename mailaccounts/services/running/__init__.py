"""What whoever runs an installation sees and does."""
