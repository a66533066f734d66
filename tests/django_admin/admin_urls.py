"""The URLs: Django admin with its stock list and form of users."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
