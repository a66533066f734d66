"""A user who signs in by email, and the one profile."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class Manager(UserManager):
    def create_user(self, username, email, password, **fields):
        user = self.model(username=username, email=email, **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractUser):
    username = models.CharField(blank=True, null=True, max_length=50)
    email = models.EmailField("email address", unique=True)

    objects = Manager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username", "first_name", "last_name"]


class UserProfile(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    title = models.CharField(max_length=5)
    dob = models.DateField()
    address = models.CharField(max_length=255)
    country = models.CharField(max_length=50)
    city = models.CharField(max_length=50)
    zip = models.CharField(max_length=5)
