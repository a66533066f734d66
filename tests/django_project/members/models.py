"""A user model and a second model with fields of their own, and models that are no profiles."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Employer(models.Model):
    name = models.CharField(max_length=50)


class Member(AbstractUser):
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=20, blank=True)
    company = models.CharField(max_length=80, null=True)
    newsletter = models.BooleanField(default=False)
    plan = models.CharField(max_length=10, choices=[("basic", "Basic"), ("pro", "Pro")], default="basic")
    employer = models.ForeignKey(Employer, null=True, on_delete=models.SET_NULL)
    city = models.CharField(max_length=50, blank=True)
    settings = models.JSONField(default=dict)
    language = models.CharField(max_length=5, default="en")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]


class Membership(models.Model):
    user = models.OneToOneField(Member, on_delete=models.CASCADE)
    since = models.DateField()
    seen = models.DateTimeField(null=True)
    rate = models.DecimalField(max_digits=24, decimal_places=10, null=True)
    score = models.FloatField(null=True)
    topics = models.JSONField(default=list)
    website = models.URLField(blank=True)
    notes = models.TextField(blank=True)
    customer_number = models.CharField(max_length=10)
    company = models.CharField(max_length=80, blank=True)


class Order(models.Model):
    """A user has several, so it is no profile."""

    user = models.ForeignKey(Member, on_delete=models.CASCADE)
    phone = models.CharField(max_length=20)
