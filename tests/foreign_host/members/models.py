import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Member(AbstractBaseUser, PermissionsMixin):
    """A user as some hosts have them: they sign in with an address, have no names, and no numbers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    login = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "login"

    objects = BaseUserManager()
